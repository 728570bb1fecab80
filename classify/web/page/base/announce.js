// Says what happened: to the eye in a toast, to the ear through one polite live region, in the same sentence.

import { byId } from "./dom.js";

const region = byId("announcer");
const toast = byId("toast");
const words = toast.querySelector("span");
const button = toast.querySelector("button");
const SHOWN_MS = 8000;
let timer = 0;
/** @type {(() => void) | null} */
let undo = null;

/**
 * Say a sentence.
 * @param {string} sentence
 * @param {{undo?: (() => void) | null, bad?: boolean, quiet?: boolean}} [how] quiet: to the ear alone
 */
export function say(sentence, how = {}) {
  region.textContent = "";
  // A region that is filled in the same turn as it is emptied is not read again.
  setTimeout(() => (region.textContent = sentence), 50);
  if (how.quiet) return;
  words.textContent = sentence;
  undo = how.undo ?? null;
  button.hidden = !undo;
  toast.classList.toggle("bad", Boolean(how.bad));
  toast.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hide, SHOWN_MS);
}

/** Say what went wrong; something that was only cancelled is no news. */
export function sayError(error) {
  if (error.name !== "AbortError") say(error.message, { bad: true });
}

/** Take away what was said before: its button would undo what has come since. */
export function unsay() {
  toast.hidden = true;
}

function hide() {
  // Not while somebody is about to press its button.
  if (toast.matches(":hover, :focus-within")) timer = setTimeout(hide, SHOWN_MS / 2);
  else toast.hidden = true;
}

button.addEventListener("click", () => {
  toast.hidden = true;
  undo?.();
});
