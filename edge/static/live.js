// Keeps a page fresh: every two seconds the part marked `data-live` is fetched again and only what differs is
// written into the page, so that focus, selection and a screen reader's place stay where they are.
"use strict";

const EVERY_MS = 2000;
const PATIENCE_MS = 8000;

const live = document.querySelector("[data-live]");
const lamp = document.querySelector("[data-lamp]");

function morph(old, fresh) {
  if (old.nodeType === Node.ELEMENT_NODE && listened(old)) return; // somebody listens: this part waits
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh.cloneNode(true));
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) {
    const opened = name === "open" && old.nodeName === "DETAILS"; // the reader opened it: it stays open
    if (!fresh.hasAttribute(name) && !opened) old.removeAttribute(name);
  }
  const was = [...old.childNodes];
  const is = [...fresh.childNodes];
  is.forEach((child, at) => (was[at] ? morph(was[at], child) : old.append(child.cloneNode(true))));
  was.slice(is.length).forEach((child) => child.remove());
}

function listened(part) {
  return "still" in part.dataset && [...part.querySelectorAll("audio")].some((sound) => !sound.paused && !sound.ended);
}

function show(fine) {
  if (!lamp) return;
  lamp.dataset.lamp = fine ? "on" : "off";
  const words = fine ? lamp.dataset.on : lamp.dataset.off;
  if (lamp.textContent !== words) lamp.textContent = words;
}

async function refresh() {
  if (!live || document.hidden) return;
  try {
    const answer = await fetch(live.dataset.live, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    morph(live, fresh);
    show(true);
  } catch {
    show(false);
  }
}

async function forever() {
  await refresh();
  setTimeout(forever, EVERY_MS);
}

document.addEventListener("visibilitychange", refresh);
if (live) setTimeout(forever, EVERY_MS);
