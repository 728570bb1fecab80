// Teach: the songs that Seven Songs would learn most from, one at a time, or two of which one is chosen. Its best
// moment plays; like, not for me, or skip, and what that changed is said.
//
// Of two songs the chosen one becomes a like, and nothing is learnt of the other; "neither" is said of both. That
// is what was measured (tests/benchmarks/suggest/duel.py).

import { askJson } from "../base/api.js";
import { byId, h, pressLabels, settings } from "../base/dom.js";
import { beginningOf, findBeginning, soon } from "../player/beginnings.js";
import { hear, pause, playFrom } from "../player/player.js";
import { labelOf, labelTogether, setLabel } from "../songs/labelling.js";
import { currentTaste, on, select, state } from "../base/state.js";
import { likesOf, trustOf } from "../base/words.js";
import { startSwipe } from "../songs/swipe.js";
import { drawOne, drawTwo, markPlaying } from "./teach_card.js";

/** @typedef {import("./teach_card.js").Card} Card */

const view = byId("teach");
const TOP = 12;
const MOST = 50; // that the service suggests
const BEGIN = "Each answer tells Seven Songs more about your taste.";
const LONG_AGO = 30; // duels, after which a song that was passed over may come again
const card = h("div", { class: "teach-card", id: "teach-card" });
const said = h("p", { class: "teach-said", id: "teach-said" }); // what is said there, is spoken elsewhere
const trust = h("div", { class: "trust big-trust" });
const heading = h("h2", {}, "");
/** @type {Card[]} */
let ahead = [];
/** What is asked about: one song, or two. @type {Card[]} */
let now = [];
let isDuel = settings.get("teach") === "duel";
const skipped = new Set();
/** What was passed over, by the song that was liked in its place. @type {Map<string, string>} */
const passedOver = new Map();
let sounds = false; // whether the next card plays by itself
let asked = 0;

export function startTeach() {
  startSwipe(card, () => (now.length === 1 ? { node: card, song: now[0].song } : null));
  view.replaceChildren(modes(), heading, said, card, trust);
  on("view", () => {
    said.replaceChildren(BEGIN);
    if (state.view === "teach") enter();
  });
  on("ready", () => state.view === "teach" && enter());
  on("taste", () => {
    [now, ahead] = [[], []];
    asked += 1;
    skipped.clear();
    passedOver.clear();
    if (state.view === "teach") enter();
  });
  // Only now is it known whether there are songs.
  on("list", () => !now.length && view.getAttribute("aria-busy") === "false" && nothing());
  on("label", showLabel);
  on("told", ({ words, back }) => state.view === "teach" && tell(words, back));
  on("labelled", ({ song, label }) => {
    if (state.view !== "teach" || !now.length) return undefined;
    if (!label || !now.some((one) => one.song.id === song.id)) return undefined;
    return next(true);
  });
  on("figures", showTrust);
  on("playing", () => markPlaying(card, now));
}

function tell(words, back) {
  const undo = h("button", { type: "button", class: "button small-button", onclick: back }, "Undo");
  said.replaceChildren(h("span", {}, words), ...(back ? [undo] : []));
}

function modes() {
  const mode = (value, words) => {
    const attributes = { type: "radio", name: "teach-mode", value, checked: isDuel === (value === "duel") };
    const change = () => setMode(value);
    return h("label", {}, h("input", { ...attributes, onchange: change }), h("span", {}, words));
  };
  return h(
    "div",
    { class: "segments worded", role: "radiogroup", "aria-label": "What to ask" },
    mode("one", "One song"),
    mode("duel", "Which of the two?"),
  );
}

function setMode(value) {
  isDuel = value === "duel";
  settings.set("teach", value);
  [ahead, now] = [[...now, ...ahead], []];
  next();
}

/** The song of the card, for keys: of two the one that is looked at. */
export function teachSong() {
  if (state.view !== "teach") return null;
  return (now.find(({ song }) => song.id === state.selected?.id) ?? now[0])?.song;
}

/** What keys do while two songs are asked about. @returns {Record<string, () => void>} */
export function duelKeys() {
  if (state.view !== "teach" || now.length < 2) return {};
  const [first, second] = [0, 1].map((at) => () => choose(at));
  const liked = () => choose(now.findIndex(({ song }) => song === teachSong()));
  return { 1: first, 2: second, ArrowLeft: first, ArrowRight: second, l: liked, d: neither };
}

/** Pass the card over. */
export function skipCard() {
  if (!now.length) return;
  for (const { song } of now) skipped.add(song.id);
  next();
}

/** Like one of two. */
function choose(at) {
  if (!isAnswered()) setLabel(now[at].song, "like");
}

function neither() {
  const both = now.map(({ song }) => song);
  if (!isAnswered()) labelTogether(both, "dislike", (names) => `${names} are not for you`);
}

function isAnswered() {
  return now.some(({ song }) => labelOf(song));
}

function showLabel({ id, label }) {
  if (label !== "like") passedOver.delete(id); // what was undone may be asked about again
  const mine = now.find(({ song }) => song.id === id);
  if (!mine) return;
  mine.song.label = label;
  if (now.length === 1) return pressLabels(card, label);
  const [other] = now.filter((one) => one !== mine);
  if (label === "like") passedOver.set(id, other.song.id);
  if (passedOver.size > LONG_AGO) passedOver.delete([...passedOver.keys()][0]);
  pressLabels(card.querySelector(`[data-id="${CSS.escape(id)}"]`), label);
  const both = now.every(({ song }) => labelOf(song) === "dislike");
  pressLabels(card.querySelector(".teach-acts"), both ? "dislike" : null);
  return undefined;
}

async function enter() {
  showTrust();
  if (!now.length || (isDuel && isAnswered())) await next(true);
  else select(teachSong());
}

/** Ask about the next. @param {boolean} [learnt] whether there is a new label since the last */
async function next(learnt = false) {
  const former = now.map(({ song }) => song.id);
  sounds = sounds || (!state.paused && former.includes(state.playing?.id));
  const few = isDuel ? 2 : 1;
  ahead = ahead.filter(({ song }) => !former.includes(song.id) && usable(song));
  // A duel is of the two that are suggested first now; one song more may be of a moment ago.
  if ((ahead.length < few || (isDuel && learnt)) && !(await fetchMore(former))) return;
  now = ahead.splice(0, few);
  show();
  if (!isDuel) await fetchMore(now.map(({ song }) => song.id)); // what was learnt may ask for others
  if (ahead.length) findBeginning(ahead[0].song, "teach, ahead");
}

function usable(song) {
  return !skipped.has(song.id) && ![...passedOver.values()].includes(song.id) && !labelOf(song);
}

/** @param {string[]} but @returns {Promise<boolean>} whether nobody has asked again since */
async function fetchMore(but) {
  const mine = (asked += 1);
  try {
    const params = { taste: state.taste, top: Math.min(MOST, TOP + skipped.size + passedOver.size) };
    const found = await askJson("/suggestions", { params });
    if (mine === asked) ahead = found.songs.filter(({ song }) => !but.includes(song.id) && usable(song));
  } catch {
    if (mine === asked) ahead = []; // nothing left to ask about, or no songs
  }
  return mine === asked;
}

function show() {
  view.setAttribute("aria-busy", "false");
  if (!now.length) return nothing();
  const [{ song }] = now;
  const isTwo = now.length === 2;
  heading.hidden = false;
  heading.textContent = isTwo ? "Which of the two do you like?" : "Do you like this one?";
  card.classList.toggle("duel", isTwo);
  if (isTwo) delete card.dataset.id;
  else card.dataset.id = song.id;
  const held = [...card.querySelectorAll("button")].indexOf(document.activeElement);
  const drawn = isTwo
    ? drawTwo(now, { press, choose, neither, skip: skipCard })
    : drawOne(now[0], { press, label: setLabel, skip: skipCard });
  card.replaceChildren(...drawn);
  card.querySelectorAll("button")[held]?.focus({ preventScroll: true }); // the keyboard keeps its place
  select(song);
  playFrom(source);
  now.forEach((one, at) => findBeginning(one.song, `teach ${at}`));
  if (sounds) sound(song);
  markPlaying(card, now);
  return undefined;
}

/** Of one song the next card, of two the other one. */
const source = {
  name: "teach",
  next: (by) => {
    if (now.length === 2) return now[place() + by]?.song ?? null;
    if (by > 0) skipCard();
    return null;
  },
  peek: () => [...now, ...ahead][place() + 1]?.song ?? null,
  begin: beginningOf,
};

function place() {
  return now.findIndex(({ song }) => song.id === state.playing?.id);
}

function press(song) {
  playFrom(source);
  if (state.playing?.id === song.id && !state.paused) return pause();
  sounds = true;
  return sound(song);
}

/** Play a song of the card from its best moment. */
async function sound(song) {
  const at = now.findIndex((one) => one.song === song);
  await soon(findBeginning(song, `teach ${at}`));
  if (now[at]?.song === song) hear(song);
}

function nothing() {
  delete card.dataset.id;
  card.classList.remove("duel");
  if (said.textContent === BEGIN) said.replaceChildren();
  heading.hidden = true;
  let words = "There is nothing left to ask about.";
  if (skipped.size || passedOver.size)
    words = "You have been asked about all that is left. Come back another time.";
  if (state.total === 0) words = "Once music has been heard, it is asked about here.";
  card.replaceChildren(h("p", {}, words));
}

function showTrust() {
  const taste = currentTaste();
  if (!taste) return;
  trust.replaceChildren(...trustBar(taste));
}

/** How far a taste can be trusted: words, and five dots, as bars are a match. */
export function trustBar(taste) {
  const { words, step } = trustOf(taste);
  const dots = h("span", {
    class: "trust-dots",
    "aria-hidden": "true",
    dataset: { step: String(step) },
  });
  for (let i = 1; i <= 5; i += 1) dots.append(h("span", { class: i <= step ? "on" : "" }));
  return [dots, h("span", {}, words), h("span", { class: "muted small" }, likesOf(taste))];
}
