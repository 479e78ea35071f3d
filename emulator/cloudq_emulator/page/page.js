"use strict";
// Once a second: fetch this page again and put in place what is live, unless nobody looks.
async function refresh() {
  if (document.hidden) return;
  const url = new URL(location.href);
  url.searchParams.delete("error");
  const answer = await fetch(url);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(section.id);
    const holdsSelection = section.contains(getSelection().anchorNode) && !getSelection().isCollapsed;
    if (other && !holdsSelection && other.innerHTML !== section.innerHTML) section.innerHTML = other.innerHTML;
  }
}
async function keepFresh() {
  await refresh().catch(() => {});
  setTimeout(keepFresh, 1000);
}
setTimeout(keepFresh, 1000);
