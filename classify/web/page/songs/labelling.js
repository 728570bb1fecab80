// Gives labels: shown at once, sent one after another, taken back where the service refuses, undone step by
// step.

import { askJson, putLabel } from "../base/api.js";
import { say, sayError, unsay } from "../base/announce.js";
import { currentTaste, emit, on, state } from "../base/state.js";
import {
  changedWords,
  inline,
  labelWord,
  labelledSentence,
  listed,
  sentence,
  shortened,
  titleOf,
} from "../base/words.js";

let queue = Promise.resolve();
let waiting = 0;
/** Labels that are on their way, by song: an answer that comes meanwhile does not know them. */
const pending = new Map();
/** What the service has last said of these songs' labels, and which of ours came last. */
const confirmed = new Map();
const latest = new Map();
/** Songs that were labelled here, so that undoing can name them. */
const known = new Map();
let number = 0;
let revision = -1; // of the last answer
let busy = 0;

/** The label of a song as it is now. @param {import("../base/state.js").Song} song */
export function labelOf(song) {
  return pending.has(song.id) ? pending.get(song.id) : song.label;
}

/** Whether a change of the labels is our own: the answer tells of it, or has. */
export function isOurs(changed) {
  return busy > 0 || changed.revision === revision;
}

/** Like, dislike; pressing a label that a song has takes it away. */
export function toggleLabel(song, label) {
  setLabel(song, labelOf(song) === label ? null : label);
}

/**
 * Label a song.
 * @param {import("../base/state.js").Song} song
 * @param {"like" | "dislike" | null} label
 */
export function setLabel(song, label) {
  if (song.url) return emit("label-file", { song, label }); // it is not in the library yet
  const before = labelOf(song);
  if (before === label) {
    const name = inline(titleOf(song));
    return say(label ? `${name} is ${labelWord(label)} already.` : `${name} has no label.`);
  }
  known.set(song.id, song);
  if (!pending.has(song.id)) confirmed.set(song.id, before);
  const mine = (number += 1);
  latest.set(song.id, mine);
  show(song.id, label);
  waiting += 1;
  const taste = state.taste;
  inTurn(() => send(song, label, mine, taste));
  return undefined;
}

/**
 * Give several songs a label; one step to undo.
 * @param {any[]} songs @param {"like" | "dislike"} label @param {(names: string) => string} words what is said
 */
export function labelTogether(songs, label, words) {
  const { taste } = state;
  const mine = (number += 1);
  for (const song of songs) {
    known.set(song.id, song);
    if (!pending.has(song.id)) confirmed.set(song.id, labelOf(song));
    latest.set(song.id, mine);
    show(song.id, label);
  }
  waiting += 1;
  inTurn(() => sendTogether({ songs, label, words }, mine, taste));
}

/** Take the last labels back; each call a step further. */
export function undo() {
  const taste = state.taste;
  inTurn(() => stepBack(taste));
}

/** @param {() => Promise<void>} work */
function inTurn(work) {
  busy += 1;
  queue = queue.then(work).finally(() => (busy -= 1));
}

/** What the page shows at once; every part that holds the song changes its copy. */
function show(id, label) {
  pending.set(id, label);
  emit("label", { id, label });
}

on("taste", () => {
  pending.clear();
  confirmed.clear();
  latest.clear();
});

async function send(song, label, mine, taste) {
  waiting -= 1;
  const begun = Boolean(currentTaste()?.trained);
  const isLatest = () => isLast(song.id, mine, taste);
  try {
    const answer = await putLabel(song.id, label, taste); // also where another taste is shown by now
    revision = answer.revision;
    emit("figures", answer.taste);
    if (taste !== state.taste) return;
    confirmed.set(song.id, answer.label);
    if (isLatest()) show(song.id, answer.label);
    if (waiting === 0) pending.clear();
    tell(labelledSentence(song, label, answer, begun), undo);
    emit("labelled", { song, label, answer, begun, more: waiting > 0 });
  } catch (error) {
    if (isLatest()) takeBack(song.id);
    sayError(error);
  }
}

async function sendTogether({ songs, label, words }, mine, taste) {
  waiting -= 1;
  const body = { labels: songs.map(({ id }) => ({ id, label })) };
  try {
    const answer = await askJson(`/tastes/${encodeURIComponent(taste)}/labels`, { method: "POST", body });
    if (waiting === 0) pending.clear();
    told(answer, taste, words);
  } catch (error) {
    for (const { id } of songs) if (isLast(id, mine, taste)) takeBack(id);
    sayError(error);
  }
}

/** Say what a label changed; Teach shows that above its card, where it covers no button. */
function tell(words, back) {
  const isShown = state.view === "teach";
  if (isShown) unsay();
  say(words, { undo: back, quiet: isShown });
  emit("told", { words, back });
}

/** Whether a label is the last that was given to a song, in the taste that is shown. */
function isLast(id, mine, taste) {
  return taste === state.taste && latest.get(id) === mine;
}

/** Show the label that the service has last confirmed. */
function takeBack(id) {
  show(id, confirmed.get(id) ?? null);
  pending.delete(id);
}

async function stepBack(taste) {
  try {
    const answer = await askJson(`/tastes/${encodeURIComponent(taste)}/undo`, { method: "POST" });
    told(answer, taste, (names) => `Undone: ${names}`);
  } catch (error) {
    if (error.status === 409) say("There is nothing more to undo.");
    else sayError(error);
  }
}

/** Show labels that came together, and say what they changed. @param {any} answer with `labels` */
export function told(answer, taste, words) {
  revision = answer.revision;
  emit("figures", answer.taste);
  if (taste !== state.taste) return;
  for (const { id, label } of answer.labels) {
    confirmed.set(id, label);
    emit("label", { id, label });
  }
  const names = answer.labels.map(({ id }) => shortened(titleOf(known.get(id) ?? { title: "a song" })));
  const changed = answer.taste?.trained ? `; ${changedWords(answer)}` : "";
  tell(sentence(words(listed(names)) + changed), answer.n_undo ? undo : null);
  const [first] = answer.labels;
  const song = first && (known.get(first.id) ?? { id: first.id });
  if (song) emit("labelled", { song, label: first.label, answer, begun: true, more: false });
}
