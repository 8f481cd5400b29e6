// The selected picture, large, with its faces drawn; and what went wrong with it, in words beside it.

import { mayBeAnsweredLater } from "./api.js";
import { Drawing, shape } from "./drawing.js";
import { element, say } from "./elements.js";

/** Fills `home`. chosen: called with the place of a face that was clicked; again, removed: with a picture. */
export class PictureView {
  constructor(home, { chosen, again, removed }) {
    this.picture = null;
    this.image = null;
    this.frame = element("div", { class: "frame" });
    this.drawing = new Drawing(this.frame, chosen);
    this.name = element("h2", { class: "name" });
    this.about = element("span", { class: "about-picture" });
    this.unseen = element("p", { class: "unseen", hidden: true });
    this.problem = element("p", { class: "problem", role: "alert", hidden: true });
    this.retry = element("button", { type: "button", onclick: () => again(this.picture) }, "Ask again");
    this.remove = element("button", { type: "button", class: "quiet", onclick: () => removed(this.picture) }, "Remove");
    home.append(
      element("div", { class: "caption" }, this.name, this.about, this.remove),
      this.frame,
      element("div", { class: "troubles" }, this.problem, this.retry),
    );
    this.frame.append(this.unseen);
  }

  /** Shows a picture, or what is new of it. selected: the place of a face, or null. */
  show(picture, selected) {
    if (picture !== this.picture || picture.image !== this.image) this.replace(picture);
    const { size } = picture;
    this.frame.hidden = !size;
    if (size) shape(this.frame, ...size);
    this.about.textContent = size ? `${size[0]} × ${size[1]}` : "";
    const isHidden = !picture.image && picture.answer;
    say(this.unseen, isHidden && "This browser cannot show pictures of this format. The service can read it: its faces lie as drawn.");
    this.drawing.selected = selected;
    this.drawing.show(...(size ?? [1, 1]), picture.faces);
    this.frame.setAttribute("aria-busy", String(Boolean(picture.asking)));
    say(this.problem, picture.problem?.words);
    this.retry.hidden = !picture.problem || !picture.file || !mayBeAnsweredLater(picture.problem);
  }

  replace(picture) {
    this.image?.remove();
    this.picture = picture;
    // null: the browser is still about to read it, or cannot show it.
    this.image = picture.image;
    if (this.image) {
      this.image.alt = picture.name;
      this.frame.prepend(this.image);
    }
    this.name.textContent = picture.name;
    this.remove.setAttribute("aria-label", `Remove ${picture.name}`);
  }
}
