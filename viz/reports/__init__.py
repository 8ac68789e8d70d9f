"""Reports: a folder of figures, tables and one page, for one image or thousands."""
