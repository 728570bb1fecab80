// Gives labels: shown at once, sent one after another, taken back where the service refuses, undone on
// request.

import { putLabel } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { currentTaste, emit, on, state } from "../base/state.js";
import { inline, labelledSentence, titleOf } from "../base/words.js";

let queue = Promise.resolve();
let waiting = 0;
/** @type {{song: any, label: "like" | "dislike" | null, taste: string | null} | null} */
let last = null;
/** Labels that are on their way, by song: an answer that comes meanwhile does not know them. */
const pending = new Map();
/** What the service has last said of these songs' labels, and which of ours came last. */
const confirmed = new Map();
const latest = new Map();
let number = 0;

/** The label of a song as it is now. @param {import("../base/state.js").Song} song */
export function labelOf(song) {
  return pending.has(song.id) ? pending.get(song.id) : song.label;
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
  const before = labelOf(song);
  if (before === label) {
    const name = inline(titleOf(song));
    say(label ? `${name} is ${label}d already.` : `${name} has no label.`);
    return;
  }
  last = { song, label: before, taste: state.taste };
  if (!pending.has(song.id)) confirmed.set(song.id, before);
  const mine = (number += 1);
  latest.set(song.id, mine);
  show(song.id, label);
  waiting += 1;
  const taste = state.taste;
  queue = queue.then(() => send(song, label, mine, taste));
}

/** Take the last label back. */
export function undo() {
  if (last && last.taste === state.taste) setLabel(last.song, last.label);
  else say("There is nothing to undo.");
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
  last = null;
});

async function send(song, label, mine, taste) {
  waiting -= 1;
  const begun = Boolean(currentTaste()?.trained);
  const isLatest = () => taste === state.taste && latest.get(song.id) === mine;
  try {
    const answer = await putLabel(song.id, label, taste); // also where another taste is shown by now
    emit("figures", answer.taste);
    if (taste !== state.taste) return;
    confirmed.set(song.id, answer.label);
    if (isLatest()) show(song.id, answer.label);
    if (waiting === 0) pending.clear();
    say(labelledSentence(song, label, answer, begun), { undo });
    emit("labelled", { song, label, answer, more: waiting > 0 });
  } catch (error) {
    if (isLatest()) {
      show(song.id, confirmed.get(song.id) ?? null);
      pending.delete(song.id);
    }
    sayError(error);
  }
}
