
// The photographs behind the numbers. A row: values, words, square [left, top, side], marks, close-up or null.
{
const held = JSON.parse(document.getElementById("photographs").textContent);
const STEP = 24;
const SVG = "http://www.w3.org/2000/svg";
const [VALUES, WORDS, SQUARE, MARKS, CLOSE] = [0, 1, 2, 3, 4];

const fits = (value, wanted) => wanted !== null && typeof wanted === "object"
  ? value !== null && (wanted.from === undefined || value > wanted.from) : value === wanted;

const chosen = (table, where) => {
  const tests = Object.entries(where).map(([name, wanted]) => [held.fields[table].indexOf(name), wanted]);
  return held.rows[table].filter(row => tests.every(([at, wanted]) => fits(row[VALUES][at], wanted)));
};

const shape = (name, given) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  return made;
};

const picture = (source, x, y, width, height) =>
  shape("image", {href: `data:image/jpeg;base64,${source}`, x, y, width, height, preserveAspectRatio: "none"});

// Marks lie around what they surround; their lines are as wide on the screen however much is enlarged.
const outlines = marks => marks.flatMap(([x1, y1, x2, y2, color, width]) => {
  const place = {x: x1, y: y1, width: Math.max(x2 - x1, .5), height: Math.max(y2 - y1, .5), fill: "none", "vector-effect": "non-scaling-stroke"};
  return [shape("rect", {...place, stroke: "#141414", "stroke-width": width + 2}), shape("rect", {...place, stroke: color, "stroke-width": width})];
});

const drawing = (number, box, marks, words, close) => {
  const image = held.images[number];
  const svg = shape("svg", {viewBox: box.join(" "), role: "img", "aria-label": words});
  svg.append(picture(image.src, 0, 0, image.width, image.height));
  if (close) svg.append(picture(close, ...box));
  svg.append(...outlines(marks));
  return svg;
};

const numberOf = (table, row) => row[VALUES][held.fields[table].indexOf("number")];

const tile = (table, row) => {
  const made = document.createElement("button");
  const [left, top, side] = row[SQUARE];
  made.type = "button";
  made.className = "tile";
  made.append(drawing(numberOf(table, row), [left, top, side, side], row[MARKS], row[WORDS], row[CLOSE]));
  made.append(row[WORDS]);
  made.addEventListener("click", () => openWhole(numberOf(table, row), row));
  return made;
};

const dialog = document.getElementById("behind");
const [title, note] = ["behind-title", "behind-note"].map(id => document.getElementById(id));
const tiles = dialog.querySelector(".tiles"), further = dialog.querySelector(".further"), leave = dialog.querySelector(".close");
let pending = [], back = null;

const showMore = () => {
  tiles.append(...pending.splice(0, STEP).map(([table, row]) => tile(table, row)));
  further.hidden = !pending.length;
};

const open = (name, words, rows) => {
  title.textContent = name;
  note.textContent = words;
  tiles.replaceChildren();
  pending = rows;
  showMore();
  leave.textContent = back ? "Back" : "Close";
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
};

// One photograph whole: every label and every detection on it; the row that led here alone where there was one.
const openWhole = (number, row = null) => {
  const image = held.images[number];
  back = dialog.open ? [title.textContent, note.textContent, [...tiles.children], pending] : null;
  if (!image) return open(`Photograph ${number}`, "It is not on this page, which holds those with most mistakes.", []);
  const of = table => chosen(table, {number});
  const marks = row ? row[MARKS] : [...of("objects").map(each => each[MARKS][0]), ...of("detections").map(each => each[MARKS].at(-1))];
  open(image.name, row ? row[WORDS] : "White: every label. In the colours of their levels: every detection.", []);
  const frame = document.createElement("div");
  frame.className = "whole";
  frame.append(drawing(number, [0, 0, image.width, image.height], marks, image.name, null));
  tiles.append(frame);
};

const lead = button => {
  back = null;
  const where = JSON.parse(button.dataset.where), table = button.dataset.table;
  if (table === "images") return openWhole(where.number);
  const rows = chosen(table, where), line = button.closest("tr"), heading = button.closest("table").tHead.rows[0].cells[button.closest("td").cellIndex];
  const name = `${line.cells[0].textContent.trim()}, ${heading.textContent.trim()}: ${button.textContent.trim()}`;
  open(name, rows.length ? `${rows.length} on the photographs of this page, the worst first.` : "None of these lies on a photograph of this page.", rows.map(row => [table, row]));
};

document.addEventListener("click", event => {
  const button = event.target.closest(".leads");
  if (button) lead(button);
});
further.addEventListener("click", showMore);
leave.addEventListener("click", () => dialog.close());
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => {
  if (!back) return;
  const [name, words, children, rest] = back;
  back = null;
  open(name, words, []);
  tiles.replaceChildren(...children);
  pending = rest;
  further.hidden = !pending.length;
});

for (const gallery of document.querySelectorAll(".tiles[data-table]")) {
  const rows = chosen(gallery.dataset.table, JSON.parse(gallery.dataset.where)).slice(0, Number(gallery.dataset.most));
  gallery.append(...rows.map(row => tile(gallery.dataset.table, row)));
  if (!rows.length) gallery.append("None.");
}

// Every word of a search must occur in a row of its table.
for (const input of document.querySelectorAll("input[data-rows]")) {
  const rows = [...document.getElementById(input.dataset.rows).tBodies[0].rows].map(row => [row, row.textContent.toLowerCase()]);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !wanted.every(word => text.includes(word));
      shown += !row.hidden;
    }
    input.parentElement.querySelector("output").textContent = wanted.length ? `${shown} of ${rows.length} rows` : "";
  });
}
}
