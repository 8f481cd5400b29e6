// Who is enrolled: a name for a face, the list, and forgetting.

import { ask, formOf, Problem, problemOf } from "./api.js";
import { byId, counted, element } from "./elements.js";
import { busyWhile, cutOut } from "./faces.js";

const PATH = "/v1/gallery/people";

/** A face among others is enrolled by a piece of its picture: the service takes pictures that show one. */
async function pieceOf(picture, face) {
  if (picture.faces.length === 1) return picture.file;
  const side = Math.ceil(Math.max(face.box[2] - face.box[0], face.box[3] - face.box[1]) * 2);
  const canvas = cutOut(picture, face, side, 0.5);
  if (!canvas) throw new Problem("This browser cannot cut a face out of such a picture; enrol one that shows this face alone.");
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export class People {
  /** changed: called when somebody was enrolled or forgotten: other answers are to be expected then. */
  constructor(changed) {
    this.changed = changed;
    this.trouble = element("p", { class: "problem", role: "alert", hidden: true });
    this.list = element("ul", { class: "people" });
    byId("people-list").append(this.list, this.trouble);
    byId("people").hidden = false;
    this.refresh();
  }

  async refresh() {
    await busyWhile(this.list, this.trouble, async () => {
      const { people, more } = await (await ask(PATH)).json();
      const entries = people.map((person) => this.entry(person));
      if (!people.length) entries.push(element("li", { class: "hint" }, "Nobody yet. Choose a face to say who it is."));
      if (more) entries.push(element("li", { class: "hint" }, "And more."));
      this.list.replaceChildren(...entries);
    });
  }

  /** A form that says who a face is. */
  form(picture, face) {
    const id = `name-of-${picture.id}`;
    const name = element("input", { id, type: "text", required: true, autocomplete: "off", maxlength: 200, value: face.person ?? "" });
    const button = element("button", { type: "submit" }, "Enrol");
    const trouble = element("p", { class: "problem", role: "alert", hidden: true });
    const enrol = async (event) => {
      event.preventDefault();
      const person = name.value.trim();
      if (!person) return;
      const done = await busyWhile(button, trouble, async () => {
        const body = formOf(await pieceOf(picture, face), picture.name, { person });
        const { refused } = await (await ask(PATH, { method: "POST", body })).json();
        if (refused.length) throw problemOf(refused[0].error);
      });
      if (!done) return;
      await this.anew();
      // The form is gone with the answer that it belonged to.
      byId("people-title").focus();
    };
    return element("form", { class: "enrol", onsubmit: enrol }, element("label", { for: id }, "This is"),
      element("div", { class: "field" }, name, button), trouble);
  }

  entry({ person, collection, faces }) {
    const row = element("li");
    const about = [person, collection !== "default" ? ` (${collection})` : "",
      `, ${counted(faces, "face")}`].join("");
    const forget = element("button", { type: "button", class: "quiet", "aria-label": `Forget ${person}` }, "Forget");
    forget.addEventListener("click", () => this.sure(row, person, collection, forget));
    row.append(element("span", {}, about), forget);
    return row;
  }

  /** Asks once more, in the person's row. */
  sure(row, person, collection, forget) {
    const before = [...row.childNodes];
    const yes = element("button", { type: "button", class: "danger" }, "Erase");
    const no = element("button", { type: "button" }, "Keep");
    no.addEventListener("click", () => {
      row.replaceChildren(...before);
      forget.focus();
    });
    yes.addEventListener("click", async () => {
      const where = `${PATH}/${encodeURIComponent(person)}?${new URLSearchParams({ collection })}`;
      const done = await busyWhile(yes, this.trouble, () => ask(where, { method: "DELETE" }));
      if (!done) return;
      await this.anew();
      byId("people-title").focus();
    });
    row.replaceChildren(element("span", {}, `Erase ${person}, names, faces and all?`), yes, no);
    no.focus();
  }

  async anew() {
    await this.refresh();
    this.changed();
  }
}
