// The preview of a bulk action follows what is filled in.
const form = document.querySelector(".bulk-page");
let asked = 0;
let timer;
const look = async () => {
  const number = ++asked;
  const answer = await fetch(form.getAttribute("action"), { method: "POST", body: new FormData(form) });
  if (!answer.ok || number !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-preview]");
  if (fresh) form.querySelector("[data-preview]").replaceChildren(...fresh.childNodes);
};
const soon = () => {
  clearTimeout(timer);
  timer = setTimeout(look, 300);
};
form?.addEventListener("input", soon);
