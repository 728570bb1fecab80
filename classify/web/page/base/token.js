// The token of a service that is open to other computers: read once from the address, exchanged for a cookie
// that no script can read, and dropped from the address so that it is not shared with it.

import { openSession } from "./api.js";
import { byId } from "./dom.js";
import { on } from "./state.js";

const dialog = byId("token-dialog");
const field = byId("token");
const said = byId("token-said");

/** @param {() => void} opened called when a token was accepted in the form */
export function startToken(opened) {
  on("unauthorised", ask);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing works without it
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      await openSession(tokenIn(field.value.trim()));
      field.value = "";
      dialog.close();
      opened();
    } catch (error) {
      said.textContent = error.message;
      field.focus();
    }
  });
}

/** Use the token of the address, if there is one. */
export async function tokenFromAddress() {
  if (!location.hash.startsWith("#token=")) return;
  const token = tokenIn(location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await openSession(token);
  } catch (error) {
    ask();
    said.textContent = error.message;
  }
}

/** Show the form. */
export function ask() {
  if (dialog.open) return;
  document.documentElement.dataset.ready = "true";
  dialog.showModal();
}

/** People paste the whole address that the terminal shows, too. */
function tokenIn(text) {
  if (!text.includes("#token=")) return text;
  const written = text.slice(text.indexOf("#token=") + 7);
  try {
    return decodeURIComponent(written);
  } catch {
    return written; // no %XX as we write them
  }
}
