// What to label next: the songs that the taste would learn most from, each with its reason. Before there is a
// taste, songs to begin with.

import { askJson } from "../base/api.js";
import { bdi, byId, h, icon, labelButtons, pressLabels, setIcon, settings } from "../base/dom.js";
import { labelOf, toggleLabel } from "./labelling.js";
import { emit, on, select, state } from "../base/state.js";
import { clean, sentence, titleOf, verdictWord } from "../base/words.js";

const tray = byId("tray");
const list = byId("tray-list");
const toggle = byId("tray-toggle");
const TOP = 5;
let abort = new AbortController();
/** @type {(song: any) => void} */
let playSong = () => {};

/** @param {(song: any) => void} play */
export function startTray(play) {
  playSong = play;
  open(settings.get("tray") !== "closed" && (settings.get("tray") === "open" || !narrow()));
  // Its room is kept from the beginning: a list that moves down under the pointer has the wrong song pressed.
  list.replaceChildren(...Array.from({ length: TOP }, blank));
  toggle.addEventListener("click", () => {
    const opened = toggle.getAttribute("aria-expanded") !== "true";
    settings.set("tray", opened ? "open" : "closed");
    open(opened);
  });
  on("label", ({ id, label }) => {
    const item = list.querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (!item) return;
    item.song.label = label;
    item.classList.toggle("done", Boolean(label));
    pressLabels(item, label);
  });
  on("playing", () => list.querySelectorAll("[data-id]").forEach(showPlaying));
  on("labelled", ({ more }) => !more && refresh());
  on("library", refresh);
  on("list-failed", forgetBlanks);
}

/** On a phone the list needs the room more, once there is one. */
function narrow() {
  return matchMedia("(max-width: 40rem)").matches;
}

function open(opened) {
  toggle.setAttribute("aria-expanded", String(opened));
  toggle.textContent = opened ? "Hide suggestions" : "Show suggestions";
  tray.classList.toggle("closed", !opened);
  list.hidden = !opened;
}

/** Ask anew; what is there stays until the answer comes. */
export async function refresh() {
  abort.abort();
  abort = new AbortController();
  try {
    const params = { taste: state.taste, top: TOP };
    const found = await askJson("/suggestions", { params, signal: abort.signal });
    show(found.songs);
  } catch (error) {
    if (error.name === "AbortError") return; // a newer question is on its way
    show([]); // nothing left to label, or a taste whose songs have gone: the list says what matters
  }
  tray.setAttribute("aria-busy", "false");
}

function show(suggested) {
  const focused = list.contains(document.activeElement)
    ? document.activeElement?.closest("li")?.dataset.id
    : null;
  const cards = [...list.children].filter((item) => item.dataset.id);
  const known = new Map(cards.map((item) => [item.dataset.id, item]));
  const items = suggested.map((one) => {
    const kept = known.get(one.song.id);
    if (!kept) return card(one);
    kept.song = one.song;
    kept.querySelector(".why").textContent = sentence(clean(one.why));
    return kept;
  });
  list.replaceChildren(...items);
  tray.hidden = !items.length;
  if (focused && !list.contains(document.activeElement))
    list.querySelector("button")?.focus({ preventScroll: true });
}

/** Nothing will come, or is not known to: no room is kept for it. */
function forgetBlanks() {
  if (list.querySelector(".blank")) show([]);
  tray.setAttribute("aria-busy", "false");
}

/** A card's room. */
function blank() {
  return h("li", { class: "tray-card blank", "aria-hidden": "true" });
}

function card({ song, reason, why }) {
  const title = titleOf(song);
  const item = h(
    "li",
    { class: "tray-card", dataset: { id: song.id, reason } },
    h(
      "div",
      { class: "tray-names" },
      h(
        "button",
        {
          type: "button",
          class: "icon tray-play",
          "aria-label": `Play ${title}`,
          onclick: () => playSong(song),
        },
        icon("play"),
      ),
      h(
        "button",
        {
          type: "button",
          class: "names link",
          onclick: () => look(item.song),
          title: "Why this score",
        },
        bdi(title, { class: "title" }),
        bdi(song.artist ?? verdictWord(song.verdict), { class: "artist" }),
      ),
    ),
    h(
      "div",
      { class: "tray-end" },
      h("p", { class: "why", dir: "auto" }, sentence(why)),
      ...labelButtons({ label: labelOf(song) }, title, (label) => toggleLabel(item.song, label)),
    ),
  );
  item.song = song;
  showPlaying(item);
  return item;
}

function showPlaying(item) {
  const sounding = state.playing?.id === item.dataset.id && !state.paused;
  const button = item.querySelector(".tray-play");
  button.setAttribute("aria-label", `${sounding ? "Pause" : "Play"} ${titleOf(item.song)}`);
  setIcon(button, sounding ? "pause" : "play");
}

function look(song) {
  select(song);
  emit("open", song);
}
