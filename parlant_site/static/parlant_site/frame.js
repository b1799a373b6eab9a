// On narrow screens the menu and the tabs are pushed sideways: where one is comes into view.
for (const row of document.querySelectorAll(".menu, .tabs")) {
  const here = row.querySelector("[aria-current]");
  if (!here || row.scrollWidth <= row.clientWidth) continue;
  const [inner, outer] = [here.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
}
