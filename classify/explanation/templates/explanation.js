"use strict";
const player = document.getElementById("player");
const seek = document.getElementById("seek");
const head = document.getElementById("head");
const total = Number(seek.dataset.seconds);
function clock(at) {
  const two = (number) => String(number).padStart(2, "0");
  const s = Math.floor(at), m = Math.floor(s / 60), h = Math.floor(m / 60);
  return h ? `${h}:${two(m % 60)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
function show() {
  const at = Math.min(player.currentTime, total);
  head.style.left = `${100 * at / total}%`;
  seek.setAttribute("aria-valuenow", Math.round(at));
  seek.setAttribute("aria-valuetext", `${clock(at)} of ${clock(total)}`);
}
function go(at) {
  player.currentTime = Math.max(0, Math.min(total, at));
  show();
}
function play() {
  player.play().catch(() => {});
}
function pointed(event) {
  const box = seek.getBoundingClientRect();
  go(total * (event.clientX - box.left) / box.width);
}
let dragging = false;
seek.addEventListener("pointerdown", (event) => {
  dragging = true;
  seek.setPointerCapture(event.pointerId);
  pointed(event);
  play();
});
seek.addEventListener("pointermove", (event) => { if (dragging) pointed(event); });
for (const end of ["pointerup", "pointercancel"]) {
  seek.addEventListener(end, () => { dragging = false; });
}
seek.addEventListener("keydown", (event) => {
  const moves = {
    ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30
  };
  if (event.key in moves) go(player.currentTime + moves[event.key]);
  else if (event.key === "Home") go(0);
  else if (event.key === "End") go(total);
  else if (event.key === " " || event.key === "Enter") player.paused ? play() : player.pause();
  else return;
  event.preventDefault();
});
for (const button of document.querySelectorAll("[data-at]")) {
  button.addEventListener("click", () => { go(Number(button.dataset.at)); play(); });
}
for (const change of ["timeupdate", "seeked"]) player.addEventListener(change, show);
player.addEventListener("error", () => { document.getElementById("silent").hidden = false; });
if (player.error) document.getElementById("silent").hidden = false;
