// Plays songs: the one that sounds and the one that comes next have an audio element each, so that little
// silence lies between them. What comes next is told by the list, or by the queue of finds.

import { address, ask } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { cover } from "../song/cover.js";
import { moments, outline } from "../song/details.js";
import { bdi, byId, debounce, pressLabels, setIcon } from "../base/dom.js";
import { labelOf, toggleLabel } from "../songs/labelling.js";
import { emit, on, select, state } from "../base/state.js";
import { level } from "./level.js";
import { setLength, showOutline, showScores, showSound, showTime, startTimeline } from "./timeline.js";
import { inline, nameOf, titleOf } from "../base/words.js";

const play = byId("play");
const CUE_MS = 250;
let audio = byId("audio"); // that sounds
let ahead = byId("audio-next"); // that has the next song ready
let wanted = 0;
/** @type {number | null} where to begin when the song's length is known */
let beginAt = null;
let begun = false; // whether what is loaded has sounded, or was sought in
/** @type {number | null} where it stops */
let endAt = null;

/**
 * @typedef {object} Source what plays next
 * @property {string} name
 * @property {(by: number) => Promise<Song | null> | Song | null} next
 * @property {() => Song | null} peek what would come next, where that is known
 * @property {(song: Song) => number | null} [begin] where a song begins
 * @property {boolean} [levelled] whether its songs sound equally loud
 */
/** @typedef {import("../base/state.js").Song} Song */
/** @type {Source} */
let source = { name: "none", next: () => null, peek: () => null };

export function startPlayer() {
  startTimeline({ seek, toggle: () => toggle(), at: () => audio.currentTime });
  play.addEventListener("click", () => toggle());
  byId("next").addEventListener("click", () => step(1));
  byId("previous").addEventListener("click", () => step(-1));
  byId("now-words").addEventListener("click", () => state.playing && emit("open", state.playing));
  for (const label of ["like", "dislike"]) {
    byId(`now-${label}`).addEventListener("click", () => state.playing && toggleLabel(state.playing, label));
    byId(`now-${label}`).dataset.label = label;
  }
  for (const element of [audio, ahead]) listen(element);
  // There is one song: the one that is looked at is the one that plays, or would.
  const cue = debounce((song) => state.selected === song && take(song), CUE_MS);
  on("select", (song) => {
    if (!song || state.playing?.id === song.id) return;
    if (state.paused) cue(song);
    else take(song);
  });
  on("label", ({ id, label }) => {
    if (state.playing?.id !== id) return;
    state.playing.label = label;
    pressLabels(byId("player"), label);
  });
  on("gain", (id) => (id === null || state.playing?.id === id) && balance());
  on("labelled", ({ more }) => !more && explain());
  on("taste", () => explain());
}

/** Say where the next song comes from. @param {Source} given */
export function playFrom(given) {
  source = given;
  balance();
  emit("queue");
}

/** What sounds is as loud as the songs around it ask for. */
function balance() {
  if (state.playing) level(audio, state.playing, Boolean(source.levelled));
}

/** @returns {string} where the next song comes from */
export function sourceName() {
  return source.name;
}

function listen(element) {
  const mine = (act) => (event) => event.target === audio && act();
  const paused = (now) => () => {
    state.paused = now;
    begun = begun || !now;
    show();
  };
  element.addEventListener("play", mine(paused(false)));
  element.addEventListener("pause", mine(paused(true)));
  element.addEventListener(
    "ended",
    mine(() => step(1)),
  );
  element.addEventListener(
    "timeupdate",
    mine(() => (showTime(audio.currentTime), makeReady(), stopAtEnd())),
  );
  element.addEventListener(
    "seeked",
    mine(() => showTime(audio.currentTime)),
  );
  element.addEventListener("loadedmetadata", mine(known));
  element.addEventListener("error", mine(silent));
}

function known() {
  setLength(audio.duration);
  if (beginAt !== null) audio.currentTime = beginAt;
  beginAt = null;
  showTime(audio.currentTime);
  explain();
}

function stopAtEnd() {
  if (endAt === null || audio.currentTime < endAt) return;
  endAt = null;
  audio.pause();
}

/** Ask for the sound of the next song when this one nears its end. */
function makeReady() {
  const next = source.peek();
  if (!next || next.url || !(audio.duration - audio.currentTime < 20)) return;
  const sound = soundOf(next);
  if (ahead.dataset.address === sound) return;
  ahead.dataset.address = sound;
  ahead.src = sound;
}

function soundOf(song) {
  return song.url ?? address(`/songs/${song.id}/audio`);
}

/** Take in the song that somebody looks at; if another one sounded, this one does now. */
function take(song) {
  const sounded = !state.paused;
  load(song);
  if (sounded) start();
}

/** Take a song in without playing it. @param {Song} song */
export function load(song) {
  if (state.playing?.id === song.id) return;
  state.playing = song;
  byId("player").classList.remove("idle");
  beginAt = source.begin?.(song) ?? null;
  [begun, endAt] = [false, null];
  const sound = soundOf(song);
  if (ahead.dataset.address === sound) swap();
  else audio.src = sound;
  audio.dataset.address = sound;
  level(audio, song, Boolean(source.levelled));
  byId("now-cover").replaceChildren(...cover(song));
  showSound(song, song.url ? "" : pictureOf(song));
  for (const id of ["play", "next", "previous", "now-like", "now-dislike"]) byId(id).disabled = false;
  sketch(song);
  show();
  select(song);
  if (audio.readyState > 0) known();
  else explain();
}

/** Until the song's picture is drawn, what is stored of it gives a coarse one. */
async function sketch(song) {
  if (song.url) return;
  const found = await outline(song.id, "player").catch(() => null);
  if (found && state.playing === song) showOutline(found);
}

function pictureOf(song) {
  return address(`/songs/${song.id}/spectrogram.png`, { width: 1000, height: 128 });
}

/** The element that has the next song ready becomes the one that sounds. */
function swap() {
  const former = audio;
  [audio, ahead] = [ahead, audio];
  [audio.id, ahead.id] = ["audio", "audio-next"];
  audio.muted = former.muted;
  former.pause();
  former.removeAttribute("src");
  delete former.dataset.address;
}

/** The element that sounds. */
export function sounding() {
  return audio;
}

/** Play a song, or go on with it; unlike `toggle` it never pauses. @param {Song} song */
export function hear(song) {
  if (song.id !== state.playing?.id) load(song);
  else if (!begun) seek(source.begin?.(song) ?? beginAt ?? 0); // it was cued before that was known
  start();
}

/** Play or pause; a song that is given is loaded first. */
export function toggle(song = state.playing) {
  if (!song) return;
  if (song.id !== state.playing?.id || audio.paused) hear(song);
  else audio.pause();
}

/** Play a stretch of a song, and stop at its end. */
export function hearStretch(song, start_s, end_s) {
  seekIn(song, start_s);
  endAt = end_s;
}

/** Play a song from a moment. */
export function seekIn(song, at_s) {
  load(song);
  if (audio.readyState > 0) seek(at_s);
  else [beginAt, begun] = [at_s, true];
  start();
}

export function seek(at_s) {
  if (!state.playing) return;
  const last = Number.isFinite(audio.duration) ? audio.duration : (state.playing.duration_s ?? 0);
  const to = Math.max(0, Math.min(last, at_s));
  [begun, endAt] = [true, null];
  if (audio.readyState === 0) beginAt = to;
  else audio.currentTime = to;
  showTime(to);
}

export function start() {
  audio.play().catch((error) => {
    // AbortError: another song was chosen meanwhile. What a file lacks is told by the element's own error.
    if (error.name === "NotAllowedError") say("The browser plays sound only after a click on the page.");
  });
}

export function pause() {
  audio.pause();
}

/** Go to the next or the previous song; back to the beginning of this one first. */
export async function step(by) {
  if (!state.playing) return;
  if (by < 0 && audio.currentTime > 3) return seek(0);
  const song = await source.next(by);
  if (song) hear(song);
}

async function explain() {
  const song = state.playing;
  if (!song || song.url) return;
  const asked = (wanted += 1); // an older answer, as of another taste, may come last
  try {
    const { song: told, explanation } = await moments(song.id, "player");
    if (state.playing !== song || asked !== wanted) return;
    song.label = told.label; // that of this taste
    pressLabels(byId("player"), labelOf(song));
    showScores(explanation);
  } catch {
    // the panel says why; the song can be heard all the same
  }
}

function show() {
  const song = state.playing;
  if (!song) return;
  play.setAttribute("aria-label", state.paused ? "Play" : "Pause");
  setIcon(play, state.paused ? "play" : "pause");
  byId("now-title").replaceChildren(bdi(titleOf(song)));
  byId("now-artist").replaceChildren(bdi(song.artist ?? song.album ?? ""));
  pressLabels(byId("player"), labelOf(song));
  document.title = state.paused ? "Seven Songs" : `${nameOf(song)} · Seven Songs`;
  emit("playing");
}

/** The element says only that it can't play; the service knows why, if it was the one that refused. */
async function silent() {
  const song = state.playing;
  if (!song) return;
  try {
    if (!song.url) await ask(`/songs/${song.id}/audio`, { headers: { Range: "bytes=0-0" } });
    say(`This browser does not play the format of ${inline(titleOf(song))}.`, { bad: true });
  } catch (error) {
    sayError(error);
  }
}
