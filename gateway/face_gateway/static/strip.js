// All pictures, small, in a grid: one of them is the large one.

import { byId, counted, element, walkable } from "./elements.js";

/** What is known of a picture, in a word or two. */
function state(picture) {
  if (picture.problem) return "failed";
  if (picture.answer) return counted(picture.faces.length, "face");
  return "…";
}

export class Strip {
  constructor(selected) {
    this.home = byId("strip");
    this.tiles = new Map();
    this.pictures = [];
    walkable(this.home, (place) => selected(this.pictures[place]));
  }

  /** Shows the pictures; one alone needs no strip. */
  show(pictures, large) {
    this.pictures = pictures;
    this.home.hidden = pictures.length < 2;
    for (const [picture, tile] of this.tiles) {
      if (!pictures.includes(picture)) {
        tile.remove();
        this.tiles.delete(picture);
      }
    }
    for (const picture of pictures) {
      const tile = this.tiles.get(picture) ?? this.tile(picture);
      const isLarge = picture === large;
      tile.setAttribute("aria-selected", String(isLarge));
      tile.tabIndex = isLarge ? 0 : -1;
      tile.classList.toggle("failed", Boolean(picture.problem));
      tile.setAttribute("aria-label", `${picture.name}, ${state(picture)}`);
      tile.querySelector("b").textContent = state(picture);
      if (picture.image && !tile.querySelector("img")) {
        tile.prepend(element("img", { src: picture.url, alt: "" }));
      }
    }
  }

  tile(picture) {
    const tile = element("div", { class: "tile", role: "option", title: picture.name }, element("b"));
    this.tiles.set(picture, tile);
    this.home.append(tile);
    return tile;
  }
}
