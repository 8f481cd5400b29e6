// Boxes, landmarks and tags over a picture or a video. Lines are as thick on every screen: the drawing scales, its pen does not.

import { drawn, element } from "./elements.js";

// A tag, with its distance from the box. Where a box is not as wide, tags would hide faces: only names, and that of the chosen
// one, are shown then.
const TAG_PIXELS = { width: 52, height: 26 };

/** What a face's tag says: its name, else its probability. */
export const tagOf = (face) => face.person ?? `${(Math.floor(face.probability * 1000) / 10).toFixed(1)} %`;

const percents = (share) => `${(share * 100).toFixed(3)}%`;

/** A drawing that covers an element, whose own box must be that of the picture. chosen: called with a face's place. */
export class Drawing {
  constructor(frame, chosen = null) {
    this.chosen = chosen;
    this.marks = [];
    this.selected = null;
    this.lines = drawn("svg", { class: "lines", "aria-hidden": "true", preserveAspectRatio: "none" });
    this.tags = element("div", { class: "tags", "aria-hidden": "true" });
    frame.append(this.lines, this.tags);
  }

  /** Draws faces, in pixels of a picture of this size, in the place of those before. */
  show(width, height, faces) {
    this.width = width;
    this.height = height;
    this.lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    while (this.marks.length > faces.length) this.remove(this.marks.pop());
    while (this.marks.length < faces.length) this.marks.push(this.mark(this.marks.length));
    const { clientWidth, clientHeight } = this.lines;
    const room = { width: TAG_PIXELS.width / (clientWidth || 1), height: TAG_PIXELS.height / (clientHeight || 1) };
    faces.forEach((face, place) => this.place(this.marks[place], face, room));
    this.select(this.selected);
  }

  /** Highlights a face; null: none. */
  select(place) {
    this.selected = place;
    this.marks.forEach(({ group, tag }, each) => {
      group.classList.toggle("chosen", each === place);
      tag.classList.toggle("chosen", each === place);
    });
  }

  remove({ group, tag }) {
    group.remove();
    tag.remove();
  }

  mark(place) {
    const group = drawn("g");
    // The dark line under the bright one shows on white walls, the bright one on dark coats.
    const parts = ["halo", "box", "halo dots", "dots"].map((name) =>
      drawn(name.endsWith("dots") ? "path" : "rect", { class: name }));
    group.append(...parts);
    const tag = element("span", { class: "tag" });
    if (this.chosen) {
      for (const node of [group, tag]) node.addEventListener("click", () => this.chosen(place));
    }
    this.lines.append(group);
    this.tags.append(tag);
    return { group, tag, boxes: parts.slice(0, 2), dots: parts.slice(2) };
  }

  /** room: width and height of a tag, as shares of the picture's. */
  place({ group, tag, boxes, dots }, face, room) {
    const [x1, y1, x2, y2] = face.box;
    for (const box of boxes) {
      box.setAttribute("x", x1);
      box.setAttribute("y", y1);
      box.setAttribute("width", Math.max(0, x2 - x1));
      box.setAttribute("height", Math.max(0, y2 - y1));
    }
    // A line of no length with a round cap is a dot that does not scale.
    const path = Object.values(face.landmarks ?? {}).map(([x, y]) => `M${x} ${y}h0`).join("");
    for (const each of dots) each.setAttribute("d", path);
    tag.textContent = tagOf(face);
    const share = (x2 - x1) / this.width / room.width;
    group.classList.toggle("small", share < 0.6);
    tag.classList.toggle("minor", !face.person && share < 1);
    // Above the box; where there is no room, below it; and in it where it fills the picture.
    const [top, bottom] = [y1 / this.height, y2 / this.height];
    const side = top > room.height ? "above" : bottom < 1 - room.height ? "below" : "inside";
    tag.dataset.side = side;
    tag.style.left = percents(Math.min(Math.max(x1 / this.width, 0), 0.95));
    tag.style.top = percents(side === "below" ? bottom : Math.max(top, 0));
  }
}

/** Gives a frame the shape of a picture; it fills its column, but is no higher than the window is good for. */
export function shape(frame, width, height) {
  frame.style.setProperty("--ratio", width / height);
  frame.style.setProperty("--most", `${Math.max(320, width * 2)}px`);
}
