// Ticking rows: one box ticks all on the page, and the bar says for whom an action would be.
const bar = document.getElementById("bulk");
const boxes = [...document.querySelectorAll('input[name="ids"]')];
const all = document.querySelector(".tick-all");
const said = bar?.querySelector(".for-whom");
const tell = () => {
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  if (!said) return;
  const { all: everybody, one, some } = said.dataset;
  said.textContent = ticked === 0 ? everybody : ticked === 1 ? one : some.replace("%n", ticked);
};
if (bar && all) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  for (const box of boxes) box.addEventListener("change", tell);
  // Browsers keep ticks when one comes back to the page.
  addEventListener("pageshow", tell);
}
