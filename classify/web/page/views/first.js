// The first steps, where the finds will be: music, seven songs, listening. Nobody needs the command line for
// them, and each step says how far it is.

import { byId, h, icon } from "../base/dom.js";
import { countFinds, playFinds } from "../player/sources.js";
import { currentTaste, emit, on, state } from "../base/state.js";
import { songs } from "../base/words.js";
import { musicStep, showMusic } from "./music.js";
import { openPlaylist } from "./playlist.js";
import { sevenStep, showSeven, startSeven } from "./seven.js";
import { setBeginning } from "./views.js";

const ABOUT = 7;
const FIRST_SONGS = 20; // with so many heard, picking can start
const view = byId("welcome");
const STEPS = [
  ["music", "Music"],
  ["seven", "Seven songs"],
  ["listen", "Listen"],
];
const marks = STEPS.map(([name, words], i) =>
  h("li", { dataset: { step: name } }, h("span", { class: "step-number" }, i + 1), words),
);
const listenStep = h("div", { class: "step", hidden: true });
let active = false; // from an untrained taste until the listener goes on
let listening = false; // the third step was asked for
let shown = "";
/** @type {any} */
let scanning = null;

export function startFirst() {
  view.append(h("ol", { class: "steps", "aria-label": "Steps" }, ...marks), musicStep, sevenStep, listenStep);
  startSeven({ listen: () => ((listening = true), show()) });
  for (const name of ["ready", "list", "figures"]) on(name, show);
  on("taste", () => {
    [active, listening] = [false, false];
    shown = "";
    show();
  });
  on("scan", (data) => {
    scanning = data?.state === "running" ? data : null;
    show();
  });
}

/** End the first steps: the finds are shown. */
function finish() {
  active = listening = false;
  setBeginning(false);
  emit("again");
}

function show() {
  const taste = currentTaste();
  if (!taste || state.total < 0) return;
  if (!taste.trained || state.total === 0) active = true;
  setBeginning(active);
  if (!active) return;
  const step = stepOf(taste);
  for (const mark of marks) {
    if (mark.dataset.step === step) mark.setAttribute("aria-current", "step");
    else mark.removeAttribute("aria-current");
    mark.classList.toggle(
      "done",
      STEPS.findIndex(([name]) => name === mark.dataset.step) < STEPS.findIndex(([name]) => name === step),
    );
  }
  musicStep.hidden = step !== "music";
  sevenStep.hidden = step !== "seven";
  listenStep.hidden = step !== "listen";
  if (step === "music") showMusic(scanning, state.total);
  if (step === "seven") showSeven(taste, shown !== "seven");
  if (step === "listen" && shown !== "listen") showListen();
  shown = step;
}

function stepOf(taste) {
  if (state.total === 0 || (scanning && state.total < FIRST_SONGS && !taste.n_like)) return "music";
  if (taste.trained && (listening || taste.n_like >= ABOUT)) return "listen";
  return "seven";
}

async function showListen() {
  listenStep.replaceChildren(h("h2", {}, "Looking through your library …"));
  const groups = await countFinds().catch(() => null);
  const like = groups?.like ?? 0;
  const unsure = groups?.unsure ?? 0;
  const play = () => {
    finish();
    playFinds();
  };
  listenStep.replaceChildren(
    h("h2", { tabindex: -1 }, like ? `Found ${songs(like)} you may like` : "Not sure about any song yet"),
    h(
      "p",
      { class: "muted" },
      like
        ? "The best match plays first. Like what you like, skip the rest: each label shapes what comes next."
        : `${songs(unsure)} could go either way. Hear some of them, and say which you like.`,
    ),
    h(
      "div",
      { class: "step-acts" },
      h(
        "button",
        { type: "button", id: "play-all", class: "button primary big-button", onclick: play },
        icon("play"),
        "Play all",
      ),
      h(
        "button",
        { type: "button", class: "button", onclick: openPlaylist },
        icon("download"),
        "Save playlist",
      ),
      h("button", { type: "button", class: "button", onclick: finish }, "Show the songs"),
    ),
    h("button", { type: "button", class: "button quiet", onclick: back }, "Choose more songs first"),
  );
}

/** Go back to choosing; more than seven are welcome. */
function back() {
  listening = false;
  shown = "seven";
  listenStep.hidden = true;
  sevenStep.hidden = false;
  showSeven(currentTaste(), false);
}
