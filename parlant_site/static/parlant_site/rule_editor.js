// The rule editor, live: its buttons without loading the page anew, numbers while one types, keys to move rows.
// The server draws everything; the parts that changed are put in place.
const form = document.querySelector("[data-editor]");
let asked = 0;
let timer;

const ask = async (command) => {
  const number = ++asked;
  clearTimeout(timer);
  const sent = new FormData(form);
  sent.set("do", command);
  form.setAttribute("aria-busy", "true");
  const answer = await fetch(location.href, { method: "POST", body: sent }).catch(() => null);
  if (number !== asked) return null;
  form.removeAttribute("aria-busy");
  if (!answer?.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};
const put = (page, id) => {
  const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
  if (old && fresh) old.replaceWith(fresh);
};

// What was done with a button: all is drawn anew, and the focus goes to the row that was made or moved.
const act = async (command) => {
  const focused = document.activeElement?.id;
  const opened = document.activeElement?.closest("details.ticks")?.querySelector("summary")?.id;
  const page = await ask(command);
  if (!page) return;
  for (const id of ["state", "rule", "found"]) put(page, id);
  const next = form.querySelector("[autofocus]") ?? document.getElementById(focused) ?? document.getElementById(opened);
  next?.focus();
};

// What was typed: the inputs stay as they are, only numbers and messages change.
const count = async () => {
  const page = await ask("update");
  if (!page) return;
  for (const element of page.querySelectorAll(".row-count, .row-wrong, #found, #w-text")) put(page, element.id);
  for (const row of page.querySelectorAll(".leaf")) {
    document.getElementById(row.id)?.classList.toggle("is-wrong", row.classList.contains("is-wrong"));
    const [old, fresh] = [document.getElementById(row.id)?.querySelector(".ticks > summary"), row.querySelector(".ticks > summary")];
    if (old && fresh) old.replaceChildren(...fresh.childNodes);
  }
  for (const id of ["undo", "redo"]) {
    const button = document.getElementById(id);
    if (button) button.disabled = page.getElementById(id).disabled;
  }
};

form.dataset.live = "1";
form.addEventListener("click", (event) => {
  const button = event.target.closest("button[name=do]");
  if (!button || button.value === "save") return;
  event.preventDefault();
  act(button.value);
});
form.addEventListener("change", (event) => {
  if (!/^[fok]\./.test(event.target.name)) return;
  // With the keyboard a choice changes letter by letter.
  clearTimeout(timer);
  timer = setTimeout(() => act("update"), 250);
});
form.addEventListener("input", (event) => {
  if (/^[fok]\./.test(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(count, 300);
});
const writes = (element) => element.matches("textarea, input:not([type=checkbox])");
form.addEventListener("keydown", (event) => {
  const row = event.target.closest("[data-row]")?.dataset.row;
  const key = event.key.toLowerCase();
  if (event.ctrlKey && (key === "z" || key === "y") && !writes(event.target)) {
    event.preventDefault();
    act(key === "y" || event.shiftKey ? "redo" : "undo");
  } else if (event.altKey && row && { ArrowUp: 1, ArrowDown: 1, Enter: 1 }[event.key]) {
    event.preventDefault();
    const group = row.slice(0, row.lastIndexOf("."));
    act({ ArrowUp: `up:${row}`, ArrowDown: `down:${row}`, Enter: `leaf:${group}` }[event.key]);
  } else if (event.key === "Escape") {
    event.target.closest("details.pill[open]")?.removeAttribute("open");
  } else if (event.key === "Enter" && event.target.matches("input") && event.target.closest("#rule")) {
    event.preventDefault();
    count();
  }
});
