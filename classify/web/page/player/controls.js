// What else moves the player: its volume, and the keys of the keyboard's, the headset's and the phone's own
// player (Media Session).

import { byId, setIcon, settings } from "../base/dom.js";
import { showVolume as giveVolume, startLevel } from "./level.js";
import { pause, seek, sounding, start, step } from "./player.js";
import { coverAddress, hasCover } from "../song/cover.js";
import { on, state } from "../base/state.js";
import { titleOf } from "../base/words.js";

const mute = byId("mute");
const volume = byId("volume");
const LEAP_S = 10;

export function startControls() {
  startLevel();
  volume.addEventListener("input", () => {
    sounding().muted = false;
    settings.set("volume", volume.value);
    showVolume();
  });
  mute.addEventListener("click", () => {
    sounding().muted = !sounding().muted;
    showVolume();
  });
  showVolume();
  startMediaKeys();
}

function showVolume() {
  const audio = sounding();
  giveVolume(audio);
  const off = audio.muted || audio.volume === 0;
  setIcon(mute, off ? "mute" : "loud");
  mute.setAttribute("aria-label", audio.muted ? "Unmute" : "Mute");
  volume.style.setProperty("--at", `${volume.value}%`);
}

function artworkOf(song) {
  if (!hasCover(song.id)) return { src: "/page/icon-512.png", sizes: "512x512", type: "image/png" };
  return { src: coverAddress(song.id, "large"), sizes: "512x512", type: "image/jpeg" };
}

function startMediaKeys() {
  if (!("mediaSession" in navigator)) return;
  const { mediaSession } = navigator;
  mediaSession.setActionHandler("play", start);
  mediaSession.setActionHandler("pause", pause);
  mediaSession.setActionHandler("nexttrack", () => step(1));
  mediaSession.setActionHandler("previoustrack", () => step(-1));
  mediaSession.setActionHandler("seekto", (wanted) => seek(wanted.seekTime ?? 0));
  mediaSession.setActionHandler("seekforward", () => seek(sounding().currentTime + LEAP_S));
  mediaSession.setActionHandler("seekbackward", () => seek(sounding().currentTime - LEAP_S));
  const tell = () => {
    const song = state.playing;
    if (!song) return;
    mediaSession.playbackState = state.paused ? "paused" : "playing";
    mediaSession.metadata = new MediaMetadata({
      title: titleOf(song),
      artist: song.artist ?? "",
      album: song.album ?? "",
      artwork: [artworkOf(song)],
    });
  };
  on("playing", tell);
  on("cover", (id) => id === state.playing?.id && tell());
}
