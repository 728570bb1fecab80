// How loud each element of the player is: what the listener chose, and while finds play less of it for louder
// songs, so that all sound alike. Nothing is made louder than its file: that could distort it.

import { askJson } from "../base/api.js";
import { byId, settings } from "../base/dom.js";
import { emit } from "../base/state.js";

const MOST = 500; // songs whose gain is kept
const RAMP_MS = 600;
const STEPS = 12;
const box = byId("level");
const volume = byId("volume");
/** @type {Map<string, number>} gains from 0 to 1 by song, of those that were asked for */
const gains = new Map();
/** @type {WeakMap<HTMLMediaElement, number>} the gain that each element has now */
const applied = new WeakMap();
/** @type {WeakMap<HTMLMediaElement, any>} */
const ramps = new WeakMap();

export function startLevel() {
  box.checked = settings.get("level") !== "off";
  box.addEventListener("change", () => {
    settings.set("level", box.checked ? "on" : "off");
    emit("gain", null);
  });
  volume.value = settings.get("volume") ?? "90";
}

/** Ask how loud a song is; whoever plays it levelled waits for that a moment. @param {any} song */
export async function findGain(song) {
  if (!box.checked || song.url || gains.has(song.id)) return;
  try {
    const { gain_db: db } = await askJson(`/songs/${song.id}/loudness`);
    if (gains.size >= MOST) gains.delete(gains.keys().next().value);
    gains.set(song.id, 10 ** (db / 20));
    emit("gain", song.id);
  } catch {
    // it sounds as loud as its file
  }
}

/**
 * The gain of a song that is about to sound in an element; one that sounds already gets there softly.
 * @param {any} element @param {any} song @param {boolean} levelled whether the songs around it are levelled, too
 */
export function level(element, song, levelled) {
  const gain = (levelled && box.checked && gains.get(song.id)) || 1;
  clearInterval(ramps.get(element));
  const from = applied.get(element) ?? 1;
  if (element.paused || element.currentTime === 0 || from === gain) return apply(element, gain);
  let step = 0;
  const ramp = setInterval(() => {
    step += 1;
    apply(element, from + ((gain - from) * step) / STEPS);
    if (step === STEPS) clearInterval(ramp);
  }, RAMP_MS / STEPS);
  ramps.set(element, ramp);
  return undefined;
}

/** Give an element the volume that the listener chose. */
export function showVolume(element) {
  apply(element, applied.get(element) ?? 1);
}

function apply(element, gain) {
  applied.set(element, gain);
  element.volume = (Number(volume.value) / 100) * gain;
}
