// The first step: which folders have the music, and how far the service has listened to it.

import { h, icon } from "../base/dom.js";
import { startScanning } from "../panels/scan.js";
import { emit, on, state } from "../base/state.js";
import { clock, heardSoFar } from "../base/words.js";

export const musicStep = h("div", { class: "step", id: "music-step", hidden: true });
const heading = h("h2", {}, "");
const words = h("p", { class: "muted" });
const list = h("ul", { class: "folders" });
const bar = h("progress", { class: "big-progress", "aria-label": "Songs heard" });
const done = h("p", { class: "big-number", role: "status" });
const start = h(
  "button",
  {
    type: "button",
    id: "listen-to-music",
    class: "button primary big-button",
    onclick: () => startScanning(),
  },
  icon("scan"),
  "Listen to my music",
);
const running = h("div", { class: "step-progress", hidden: true }, done, bar);
const add = h(
  "button",
  { type: "button", class: "button", onclick: () => emit("add-folder") },
  icon("plus"),
  "Add a folder",
);
musicStep.append(
  heading,
  words,
  list,
  h("div", { class: "step-acts" }, start, add),
  running,
);
on("folders", () => !musicStep.hidden && showMusic(null, state.total));

/** @param {any} scanning the event of a running scan, or null @param {number} heard songs that are known */
export function showMusic(scanning, heard) {
  const folders = state.health?.folders ?? [];
  list.replaceChildren(...folders.map((folder) => h("li", {}, icon("scan"), h("bdi", {}, folder))));
  words.textContent = folders.length
    ? "Seven Songs listens to each song once, here on this computer. That takes about a second a song, or less."
    : "Add the folder of your music here, and confirm it in the terminal; or start with it: sevensongs serve ~/Music --open";
  heading.textContent = scanning ? "Listening to your music" : "Where is your music?";
  start.hidden = Boolean(scanning) || !folders.length;
  running.hidden = !scanning;
  if (!scanning) return;
  const { n_done = 0, n_total = 0, wall_s = 0, stage = "all" } = scanning.progress ?? {};
  if (n_total) [bar.max, bar.value] = [n_total, n_done];
  else bar.removeAttribute("value");
  const left = n_done > 5 && wall_s > 2 ? `, ${clock((wall_s / n_done) * (n_total - n_done))} left` : "";
  done.textContent = n_total ? `${heardSoFar(n_done, n_total, stage)}${left}` : "Looking for songs …";
  if (heard > 0) words.textContent = "You can begin to choose as soon as twenty songs are heard.";
}
