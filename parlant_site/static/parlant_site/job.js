// The progress of a job, asked for each second until the job has ended.
const place = document.querySelector("[data-job]");
const look = async () => {
  if (!document.hidden) {
    const answer = await fetch(place.dataset.job).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      const text = await answer.text();
      const focused = document.activeElement?.id;
      place.innerHTML = text;
      if (focused?.startsWith("job-")) document.getElementById(focused)?.focus();
      if (place.querySelector('[data-final="1"]')) return;
    }
  }
  setTimeout(look, 1000);
};
setTimeout(look, 500);
