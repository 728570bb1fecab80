// Plays songs: one audio element with controls of our own, the next and the previous of the list, the keys of
// the keyboard's and the phone's own player.

import { address, ask } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { details } from "../song/details.js";
import { bdi, byId, debounce, pressLabels, setIcon, settings } from "../base/dom.js";
import { labelOf, toggleLabel } from "../songs/labelling.js";
import { pages } from "../songs/list.js";
import { emit, on, state } from "../base/state.js";
import { setLength, showScores, showSound, showTime, startTimeline } from "./timeline.js";
import { inline, nameOf, titleOf } from "../base/words.js";

const audio = byId("audio");
const play = byId("play");
const mute = byId("mute");
const volume = byId("volume");
const CUE_MS = 250;
let place = -1; // of the song in the list
let left = false;
let wanted = 0;
/** @type {number | null} where to begin when the song's length is known */
let beginAt = null;

export function startPlayer() {
  startTimeline({ seek, toggle: () => toggle(), at: () => audio.currentTime });
  play.addEventListener("click", () => toggle());
  byId("next").addEventListener("click", () => step(1));
  byId("previous").addEventListener("click", () => step(-1));
  for (const label of ["like", "dislike"]) {
    byId(`now-${label}`).addEventListener("click", () => state.playing && toggleLabel(state.playing, label));
    byId(`now-${label}`).dataset.label = label;
  }
  startVolume();
  listen();
  startMediaKeys();
  // A song that is looked at is ready to be played, unless another one sounds.
  const cue = debounce((song) => state.paused && state.selected === song && load(song), CUE_MS);
  on("select", (song) => song && state.paused && cue(song));
  on("label", ({ id, label }) => {
    if (state.playing?.id !== id) return;
    state.playing.label = label;
    pressLabels(byId("player"), label);
  });
  on("labelled", ({ more }) => !more && explain());
  on("taste", () => explain());
  on("list", () => {
    const now = state.playing ? pages.indexOf(state.playing.id) : -1;
    if (now >= 0) place = now;
    // What is liked while it plays leaves a list of finds, and the next one stands in its place.
    left = now < 0 && state.query.label === "none" && Boolean(state.playing?.label);
  });
}

function listen() {
  const paused = (now) => () => {
    state.paused = now;
    show();
  };
  audio.addEventListener("play", paused(false));
  audio.addEventListener("pause", paused(true));
  audio.addEventListener("ended", () => step(1));
  audio.addEventListener("timeupdate", () => showTime(audio.currentTime));
  audio.addEventListener("seeked", () => showTime(audio.currentTime));
  audio.addEventListener("loadedmetadata", () => {
    setLength(audio.duration);
    if (beginAt !== null) audio.currentTime = beginAt;
    beginAt = null;
    showTime(audio.currentTime);
    explain();
  });
  audio.addEventListener("error", silent);
}

/** Take a song in without playing it. @param {import("../base/state.js").Song} song @param {number} [index] */
export function load(song, index = pages.indexOf(song.id)) {
  if (index >= 0) place = index;
  left = false;
  if (state.playing?.id === song.id) return;
  state.playing = song;
  byId("player").classList.remove("idle");
  beginAt = null;
  audio.src = address(`/songs/${song.id}/audio`);
  showSound(song, address(`/songs/${song.id}/spectrogram.png`, { width: 1000, height: 128 }));
  for (const id of ["play", "next", "previous", "now-like", "now-dislike"]) byId(id).disabled = false;
  show();
  explain();
}

/** Play a song from its beginning, or go on with it. */
export function loadAndPlay(song, index) {
  load(song, index);
  start();
}

/** Play or pause; a song that is given is loaded first. */
export function toggle(song = state.playing, index = undefined) {
  if (!song) return;
  if (song.id !== state.playing?.id) loadAndPlay(song, index);
  else if (audio.paused) start();
  else audio.pause();
}

/** Play a song from a moment. */
export function seekIn(song, at_s) {
  load(song);
  if (audio.readyState === 0) beginAt = at_s;
  else seek(at_s);
  start();
}

function seek(at_s) {
  if (!state.playing) return;
  const last = Number.isFinite(audio.duration) ? audio.duration : (state.playing.duration_s ?? 0);
  const to = Math.max(0, Math.min(last, at_s));
  if (audio.readyState === 0) beginAt = to;
  else audio.currentTime = to;
  showTime(to);
}

function start() {
  audio.play().catch((error) => {
    // AbortError: another song was chosen meanwhile. What a file lacks is told by the element's own error.
    if (error.name === "NotAllowedError") say("The browser plays sound only after a click on the page.");
  });
}

/** Go to the next or the previous song of the list; back to the beginning of this one first. */
export async function step(by) {
  if (!state.playing) return;
  if (by < 0 && audio.currentTime > 3) return seek(0);
  const index = place + (left && by > 0 ? by - 1 : by);
  if (index < 0 || (pages.matched >= 0 && index >= pages.matched)) return;
  const song = await pages.load(index);
  if (song) loadAndPlay(song, index);
}

async function explain() {
  const song = state.playing;
  if (!song) return;
  const asked = (wanted += 1); // an older answer, as of another taste, may come last
  try {
    const { song: told, explanation } = await details(song.id, "player");
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
  if ("mediaSession" in navigator) {
    navigator.mediaSession.metadata = new MediaMetadata({
      title: titleOf(song),
      artist: song.artist ?? "",
      album: song.album ?? "",
    });
  }
  emit("playing");
}

/** The element says only that it can't play; the service knows why, if it was the one that refused. */
async function silent() {
  const song = state.playing;
  if (!song) return;
  try {
    await ask(`/songs/${song.id}/audio`, { headers: { Range: "bytes=0-0" } });
    say(`This browser does not play the format of ${inline(titleOf(song))}.`, { bad: true });
  } catch (error) {
    sayError(error);
  }
}

function startVolume() {
  const set = () => {
    audio.volume = Number(volume.value) / 100;
    const off = audio.muted || audio.volume === 0;
    setIcon(mute, off ? "mute" : "loud");
    mute.setAttribute("aria-label", audio.muted ? "Unmute" : "Mute");
    volume.style.setProperty("--at", `${volume.value}%`);
  };
  volume.value = settings.get("volume") ?? "90";
  volume.addEventListener("input", () => {
    audio.muted = false;
    settings.set("volume", volume.value);
    set();
  });
  mute.addEventListener("click", () => {
    audio.muted = !audio.muted;
    set();
  });
  set();
}

function startMediaKeys() {
  if (!("mediaSession" in navigator)) return;
  const { mediaSession } = navigator;
  mediaSession.setActionHandler("play", start);
  mediaSession.setActionHandler("pause", () => audio.pause());
  mediaSession.setActionHandler("nexttrack", () => step(1));
  mediaSession.setActionHandler("previoustrack", () => step(-1));
  mediaSession.setActionHandler("seekto", (details) => seek(details.seekTime ?? 0));
}
