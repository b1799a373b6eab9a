// The metadata editor: a blank row is always there, and a row can be taken out with one press.
for (const editor of document.querySelectorAll("[data-metadata]")) {
  const body = editor.querySelector("tbody");
  const isBlank = (row) => [...row.querySelectorAll("input, textarea")].every((field) => !field.value);
  const keepBlankRow = () => {
    const last = body.lastElementChild;
    if (isBlank(last)) return;
    const row = last.cloneNode(true);
    for (const field of row.querySelectorAll("input, textarea")) {
      field.value = "";
      field.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+/, body.children.length + 1));
    }
    body.append(row);
  };
  while (body.children.length > 1 && isBlank(body.lastElementChild) && isBlank(body.children[body.children.length - 2])) {
    body.lastElementChild.remove();
  }
  editor.addEventListener("input", keepBlankRow);
}
