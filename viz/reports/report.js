"use strict";
const words = new Intl.Collator(undefined, {numeric: true, sensitivity: "base"});

// Click a header to sort by its column, once more to turn the order round. Empty cells stay at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    heads.forEach(each => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const numeric = head.classList.contains("number");
    const rows = [...table.tBodies[0].rows].map(row => {
      const text = row.cells[column].dataset.key ?? row.cells[column].textContent;
      return {row, key: text === "" ? null : numeric ? Number(text) : text};
    });
    rows.sort((a, b) => a.key === null || b.key === null ? (a.key === null) - (b.key === null)
      : sign * (numeric ? a.key - b.key : words.compare(a.key, b.key)));
    table.tBodies[0].append(...rows.map(entry => entry.row));
  }));
}

// Every word of the search must occur in a row, or in what an image is called and holds.
const search = document.getElementById("search");
if (search) {
  const rows = [...document.querySelectorAll("#detections tbody tr")].map(row => [row, null]);
  const images = [...document.querySelectorAll("article")].map(image => [image, image.dataset.words.toLowerCase()]);
  const filter = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = [0, 0];
    [rows, images].forEach((group, which) => group.forEach(entry => {
      entry[1] ??= [...entry[0].cells].map(cell => cell.textContent).join(" ").toLowerCase();
      const fits = wanted.every(word => entry[1].includes(word));
      entry[0].hidden = !fits;
      shown[which] += fits;
    }));
    document.getElementById("shown").textContent = wanted.length
      ? `${shown[0]} of ${rows.length} rows, ${shown[1]} of ${images.length} images` : "";
  };
  let pause;
  search.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(filter, 120); });
  filter();
}

// On paper everything is shown: pictures are loaded and what is folded away is opened.
addEventListener("beforeprint", () => {
  for (const image of document.images) image.loading = "eager";
  for (const more of document.querySelectorAll("details")) more.open = true;
});
