// Boxes, landmarks and tags over a picture or a video. Lines are as thick on every screen: the drawing scales, its pen does not.

import { drawn, element } from "./elements.js";

// With more faces than these, tags would hide them: only the chosen one and those with names have theirs.
const MOST_TAGS = 12;

/** What a face's tag says: its name, else its probability. */
export const tagOf = (face) => face.person ?? `${(Math.floor(face.probability * 1000) / 10).toFixed(1)} %`;

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
    this.tags.classList.toggle("crowd", faces.length > MOST_TAGS);
    faces.forEach((face, place) => this.place(this.marks[place], face));
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

  place({ tag, boxes, dots }, face) {
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
    tag.classList.toggle("named", Boolean(face.person));
    const top = y1 / this.height;
    // Where there is no room above the box, the tag stands in it.
    tag.classList.toggle("inside", top < 0.08);
    tag.style.left = `${(Math.min(Math.max(x1 / this.width, 0), 0.95) * 100).toFixed(3)}%`;
    tag.style.top = `${(Math.max(top, 0) * 100).toFixed(3)}%`;
  }
}

/** Gives a frame the shape of a picture; it fills its column, but is no higher than the window is good for. */
export function shape(frame, width, height) {
  frame.style.setProperty("--ratio", width / height);
  frame.style.setProperty("--most", `${Math.max(320, width * 2)}px`);
}
