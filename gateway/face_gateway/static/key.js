// The API key: asked for when the service wants one, kept in this tab until it is closed.

import { byId, say } from "./elements.js";

const KEPT = "faces-key";

// What programs are told; a person sees that there is a field for it.
const NONE_SENT = /^send a key/;

let asking = null;

/** The key, or null. */
export const key = () => sessionStorage.getItem(KEPT);

/** Asks for a key. why: the service's sentence. Resolves to whether one was given; callers at the same time share it. */
export function askForKey(why) {
  asking ??= ask(why).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(why) {
  const dialog = byId("key");
  const text = byId("key-text");
  say(byId("key-why"), NONE_SENT.test(why) ? "" : `${why[0].toUpperCase()}${why.slice(1)}.`);
  text.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = (given) => {
      over.abort();
      if (given) sessionStorage.setItem(KEPT, given);
      showForget();
      if (dialog.open) dialog.close();
      resolve(Boolean(given));
    };
    const { signal } = over;
    byId("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      done(text.value.trim());
    }, { signal });
    byId("key-cancel").addEventListener("click", () => done(null), { signal });
    dialog.addEventListener("close", () => done(null), { signal });
  });
}

/** Forgets the key, here and at once. */
export function forgetKey() {
  sessionStorage.removeItem(KEPT);
  const hadFocus = document.activeElement === byId("forget-key");
  showForget();
  if (hadFocus) byId("main").focus();
}

/** Shows the button that forgets the key, where there is one. */
export function showForget() {
  byId("forget-key").hidden = !key();
}
