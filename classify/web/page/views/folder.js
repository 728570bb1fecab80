// Adds a folder to the library: a person at the terminal of the service confirms it, so that no page can reach
// what it likes.

import { askJson } from "../base/api.js";
import { say } from "../base/announce.js";
import { byId } from "../base/dom.js";
import { startScanning } from "../panels/scan.js";
import { on, state } from "../base/state.js";
import { inline, titleOf } from "../base/words.js";

const dialog = byId("folder-dialog");
const path = byId("folder-path");
const said = byId("folder-said");
let asked = false;

export function startFolder() {
  on("add-folder", open);
  byId("folder-add").addEventListener("click", open);
  on("folders", took);
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      asked = true;
      took(await askJson("/library/folders", { method: "POST", body: { path: path.value.trim() } }));
    } catch (error) {
      said.textContent = error.message;
    }
  });
}

/** @param {any} [song] a file that is liked once its folder has been heard */
function open(song) {
  const then = song?.label === "like" ? "is liked" : "counts as not for you";
  said.textContent = song?.url ? `Once its folder has been heard, ${inline(titleOf(song))} ${then}.` : "";
  dialog.showModal();
}

/** @param {any} told as `/v1/library/folders` has it */
function took(told) {
  if (state.health) state.health.folders = told.folders;
  if (!asked) return;
  if (told.state === "waiting") said.textContent = "Confirm it in the terminal that runs sevensongs serve.";
  if (told.state === "refused")
    said.textContent = "It was not added: the terminal said no, or it is no folder.";
  const served = told.folders.includes(path.value.trim());
  if (told.state !== "added" && !served) return;
  asked = false;
  dialog.close();
  say(told.state === "added" ? "The folder is added." : "The folder is heard again.");
  startScanning();
}
