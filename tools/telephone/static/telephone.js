// One tab is one telephone. What it shows is what the server last told; what a person does is asked for by POST.
import { Microphone, Speaker } from "./sound.js";

const EVERY_MS = 250;
const HIDDEN_MS = 1000;
const ENDED_MS = 5000; // when nothing answers
const PATIENCE_MS = 5000;
const RING_MS = 900; // so long the ring is heard, however soon the cut comes: the network needs about that too
const BEEPS_MS = 2200; // of the tone behind a call that was not answered

const all = (selector) => [...document.querySelectorAll(selector)];
const one = (selector) => document.querySelector(selector);
const token = one("meta[name=token]").content;
const lines = new Map(
  all("[data-dial]").map(({ dataset }) => [dataset.dial, { title: dataset.title, number: dataset.number }]),
);
const speaker = new Speaker();
const microphone = new Microphone((pcm) => queue(pcm));

let phone = sessionStorage.getItem("phone") ?? "";
let seen = { state: "idle", letters: [], story: [], words: "", tone: "", line: "", seconds: 0 };
let dialledAt = 0;
let hearing = false;
let read = 0; // letters that were looked at
let timer = 0;
let every = EVERY_MS;

// ------------------------------------------------------------------------------- asking

async function ask(path, body, how = {}) {
  const headers = { "x-token": token, "x-phone": phone };
  const sent = body instanceof ArrayBuffer ? body : JSON.stringify(body ?? {});
  const answer = await fetch(path, { method: "POST", headers, body: sent, cache: "no-store", ...how });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.why ?? `The demo answers ${answer.status}.`);
  return told;
}

async function act(path, body) {
  try {
    await ask(path, body);
    trouble("");
    return true;
  } catch (why) {
    trouble(why instanceof TypeError ? "The demo has ended: nothing answers." : why.message);
    return false;
  } finally {
    look();
  }
}

function trouble(words) {
  const place = one("[data-trouble]");
  place.hidden = !words;
  if (place.textContent !== words) place.textContent = words;
}

// Sound goes one piece after the other; a piece that waits too long is old news.
const waiting = [];
let sending = false;
async function queue(pcm) {
  waiting.push(pcm);
  if (waiting.length > 10) waiting.shift();
  if (sending) return;
  sending = true;
  while (waiting.length) {
    try {
      await ask("/speech", waiting.shift());
    } catch {
      waiting.length = 0;
    }
  }
  sending = false;
}

// ------------------------------------------------------------------------------- looking

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/phone", {
      headers: { "x-phone": phone },
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const told = await answer.json();
    if (told.state === "unknown") await begin();
    else if (answer.ok) show(told);
    every = document.hidden ? HIDDEN_MS : EVERY_MS;
  } catch {
    every = ENDED_MS;
    show({ ...seen, state: seen.state === "idle" ? "idle" : "over", tone: "", words: "The demo has ended." });
  }
  clearTimeout(timer); // others may have looked meanwhile
  timer = setTimeout(look, every);
}

async function begin() {
  phone = (await ask("/phone")).phone;
  sessionStorage.setItem("phone", phone);
}

// The sound of the call, to its end.
async function hear() {
  if (hearing) return;
  hearing = true;
  speaker.begin();
  try {
    const answer = await fetch("/sound", { headers: { "x-phone": phone }, cache: "no-store" });
    const reader = answer.ok ? answer.body.getReader() : null;
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader.read()) {
      speaker.sound("");
      speaker.play(piece.value);
    }
  } catch {
    // the next look tells
  }
  hearing = false;
  look();
}

// ------------------------------------------------------------------------------- showing

function show(told) {
  const rung = performance.now() - dialledAt;
  if (told.state === "over" && dialledAt && rung < RING_MS) {
    setTimeout(look, RING_MS - rung + 10);
    return;
  }
  const before = seen.state;
  seen = told;
  one(".phone").dataset.state = told.state;
  if (told.number) put("[data-own]", spaced(told.number));
  showCall(told, before);
  showStory(told.story);
  showLetters(told.letters);
}

function put(selector, words) {
  const place = one(selector);
  if (place.textContent !== words) place.textContent = words;
}

function spaced(number) {
  return number.replace(/^(\+91)(\d{5})(\d{5})$/, "$1 $2 $3");
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const SAID = {
  idle: () => "",
  calling: () => "Ringing …",
  incoming: () => "Incoming call",
  talking: ({ seconds }) => clock(seconds),
  over: ({ words, seconds }) => (seconds > 0 ? `${clock(seconds)}. ${words}` : words),
};

function showCall(told, before) {
  const { state } = told;
  const party = lines.get(told.line);
  const live = ["calling", "incoming", "talking"].includes(state);
  if (state !== before) changed(state, told.tone);
  put("[data-party]", party?.title ?? "Nobody");
  put("[data-party-number]", party ? party.number : "Choose a number.");
  const status = one("[data-status]");
  status.setAttribute("aria-live", state === "talking" ? "off" : "polite"); // nobody wants to hear the seconds
  put("[data-status]", SAID[state](told));
  put("[data-caption]", live ? caption(told.story) : "");
  for (const button of all("[data-mic], [data-sample]")) button.disabled = state !== "talking";
  one("[data-accept]").hidden = state !== "incoming";
  one("[data-hang-up]").hidden = !live;
  put("[data-hang-up-words]", state === "incoming" ? "Refuse" : "Hang up");
  one("[data-done]").hidden = live;
  showMeter(state === "talking" ? speaker.level : 0);
}

function caption(story) {
  if (story.findLast(({ words }) => words.startsWith("recording"))?.words === "recording begins") return "You are being recorded. Speak; # ends it.";
  return story.filter(({ who }) => who === "box").at(-1)?.words ?? "";
}

// What happens once, when the state is another one.
function changed(state, tone) {
  if (["calling", "incoming", "talking"].includes(state)) view("call");
  if (state === "calling" || state === "incoming") speaker.sound(state === "incoming" ? "incoming" : "ringing");
  if (state === "talking") {
    speaker.sound("");
    hear();
  }
  if (state === "over") {
    microphone.stop();
    mic();
    speaker.sound(tone === "unreachable" ? tone : "busy");
    setTimeout(() => seen.state === "over" && speaker.sound(""), BEEPS_MS);
  }
}

function showMeter(level) {
  const bars = all("[data-meter] i");
  bars.forEach((bar, at) => {
    const shape = 1 - Math.abs(at - (bars.length - 1) / 2) / bars.length;
    bar.style.transform = `scaleY(${Math.max(0.12, Math.min(1, level * 2.2 * shape * (0.7 + 0.3 * Math.random())))})`;
  });
  one("[data-meter]").dataset.heard = speaker.heard.toFixed(1);
}

function showStory(story) {
  const list = one("[data-story]");
  story.forEach(({ who, words, language }, at) => {
    const entry = list.children[at] ?? list.appendChild(document.createElement("li"));
    if (entry.textContent === words && entry.className === who) return;
    entry.className = who;
    entry.lang = language || "en";
    entry.textContent = words;
    list.scrollTop = list.scrollHeight;
  });
  while (list.children.length > story.length) list.lastChild.remove();
  one("[data-no-story]").hidden = story.length > 0;
}

function showLetters(letters) {
  const list = one("[data-letters]");
  for (const { line, text, mine, at } of letters.slice(list.children.length)) {
    const entry = list.appendChild(document.createElement("li"));
    entry.className = mine ? "mine" : "theirs";
    const head = entry.appendChild(document.createElement("p"));
    head.className = "quiet";
    head.textContent = mine ? `You, to ${lines.get(line)?.number ?? ""}, ${at}` : `${lines.get(line)?.title ?? ""}, ${at}`;
    entry.appendChild(document.createElement("p")).textContent = text;
    list.scrollTop = list.scrollHeight;
  }
  if (!one("[data-view=letters]").hidden) read = letters.length;
  const unread = letters.slice(read).filter(({ mine }) => !mine).length;
  const badge = one("[data-unread]");
  badge.hidden = !unread;
  badge.textContent = unread ? String(unread) : "";
  one("[data-tab=letters]").setAttribute("aria-label", unread ? `SMS, ${unread} new` : "SMS");
  one("[data-no-letters]").hidden = letters.length > 0;
  one("[data-write]").hidden = letters.length === 0;
}

function view(name) {
  for (const part of all("[data-view]")) part.hidden = part.dataset.view !== name;
  for (const tab of all("[data-tab]")) {
    if (tab.dataset.tab === name) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
  showLetters(seen.letters);
}

// ------------------------------------------------------------------------------- doing

function mic() {
  one("[data-mic]").setAttribute("aria-pressed", String(microphone.on));
}

async function press(key) {
  if (seen.state !== "talking") return;
  const button = one(`[data-key="${key}"]`);
  button.classList.add("down");
  setTimeout(() => button.classList.remove("down"), 150);
  speaker.key(key);
  act("/key", { key });
}

for (const button of all("[data-dial]")) {
  button.addEventListener("click", async () => {
    speaker.wake();
    if (!(await act("/dial", { line: button.dataset.dial }))) return;
    dialledAt = performance.now();
    hear();
  });
}
for (const button of all("[data-key]")) button.addEventListener("click", () => press(button.dataset.key));
for (const tab of all("[data-tab]")) tab.addEventListener("click", () => view(tab.dataset.tab));
one("[data-done]").addEventListener("click", () => view("numbers"));
one("[data-hang-up]").addEventListener("click", () => act("/hang-up"));
one("[data-accept]").addEventListener("click", () => {
  speaker.wake();
  act("/accept");
});
one("[data-sample]").addEventListener("click", () => act("/sample"));
one("[data-mic]").addEventListener("click", async () => {
  if (microphone.on) microphone.stop();
  else {
    try {
      await microphone.start();
    } catch {
      microphone.stop();
      trouble("No microphone, or this page may not use it: let the telephone say a sentence instead.");
    }
  }
  mic();
});

const lastSender = () => seen.letters.findLast(({ mine }) => !mine)?.line ?? seen.line;
one("[data-write]").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = event.target.text.value.trim();
  if (text && (await act("/write", { line: lastSender(), text }))) event.target.reset();
});
one("[data-stop]").addEventListener("click", () => act("/write", { line: lastSender(), text: "STOP" }));

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (/^[0-9*#]$/.test(event.key)) press(event.key);
});
document.addEventListener("visibilitychange", () => document.hidden || look());
addEventListener("pagehide", () => {
  if (["calling", "talking"].includes(seen.state)) ask("/hang-up", {}, { keepalive: true }).catch(() => {});
});
setInterval(() => {
  if (seen.state !== "talking") return;
  speaker.level *= 0.7;
  showMeter(speaker.level);
}, 60);
look();
