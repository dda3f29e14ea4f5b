// The photos: a page of them, those before and after it, one opened, and others like it.

import { isEmpty } from "./paper.js";
import { get } from "./server.js";
import { byId, closeness, hideError, readable, sayAnswer, setText, showError } from "./texts.js";

const list = byId("photos");
const dialog = byId("opened");

// What the photos answer to. `kind` is "gallery", "drawing" or "photo"; `address` gives the page
// that begins at a place; `texts` are what is said above them; `thumbnail` is the photo's.
let topic = { kind: "gallery" };
let page = { results: [], start: 0, n_photos: 0, n_bits: 0 };
let drawn = null; // the topic and first page of the last drawing, to come back to
let turn = 0; // what was asked for before the latest wish is not shown any more
let opened = null; // the page, topic and place of the photo that is opened
let fullPage = 1; // photos on a page that is not the last

// ---- A page of photos ----

const items = new Map(); // photo's address -> its list item, kept while it is shown

function photoItem({ url, name, label, distance }, place) {
  let item = items.get(url);
  if (!item) {
    item = byId("photo").content.firstElementChild.cloneNode(true);
    const image = item.querySelector("img");
    image.src = url;
    image.alt = label === null ? `Photo ${name}` : `Photo of ${readable(label)}`;
    item.querySelector(".label").textContent = label === null ? name : readable(label);
    item.querySelector(".label").ariaHidden = "true"; // the picture says it
  }
  item.querySelector("button").onclick = () => open(place);
  showCloseness(item.querySelector(".distance"), distance);
  return item;
}

// Dots for the eye, words for who hears the page.
function showCloseness(element, distance) {
  element.replaceChildren();
  if (distance === null) return;
  const { words, dots } = closeness(distance, page.n_bits);
  element.title = words;
  for (let i = 0; i < 4; i += 1) {
    const dot = document.createElement("i");
    dot.className = i < dots ? "dot full" : "dot";
    element.append(dot);
  }
  const said = document.createElement("span");
  said.className = "unseen";
  said.textContent = words;
  element.append(said);
}

// A finger that is down on a photo is to open that photo: what comes meanwhile is shown afterwards.
let isHeld = false;
let heldBack = null;

list.addEventListener("pointerdown", () => {
  isHeld = true;
});

for (const kind of ["pointerup", "pointercancel"]) {
  // The click comes after this event, and before a timer.
  document.addEventListener(kind, () => setTimeout(letGo));
}

function letGo() {
  isHeld = false;
  if (heldBack) show(...heldBack);
}

export function setBusy(isBusy) {
  list.ariaBusy = String(isBusy);
}

function show(nextTopic, answer) {
  heldBack = isHeld ? [nextTopic, answer] : null;
  if (isHeld) return;
  [topic, page] = [nextTopic, answer];
  fullPage = Math.max(fullPage, page.results.length);
  const shown = page.results.map((result, place) => [result.url, photoItem(result, place)]);
  items.clear();
  shown.forEach(([url, item]) => items.set(url, item));
  const nodes = [...items.values()];
  // Left alone where nothing changes: a finger that is down on a photo is to open it.
  if (nodes.length !== list.children.length || nodes.some((node, i) => node !== list.children[i])) {
    list.replaceChildren(...nodes);
  }
  setText("answer", topic.texts[0]);
  setText("detail", topic.texts[1]);
  byId("summary").classList.toggle("unsure", topic.unsure === true);
  byId("like").hidden = topic.kind !== "photo";
  byId("like").src = topic.thumbnail ?? "static/icon.svg";
  byId("back").hidden = topic.kind !== "photo";
  setText("back", isEmpty() ? "Back to the gallery" : "Back to the drawing");
  const { start, results, n_photos } = page;
  byId("pages").hidden = n_photos <= results.length;
  setText("place", `${start + 1} to ${start + results.length} of ${n_photos.toLocaleString("en")}`);
  byId("previous").disabled = start === 0;
  byId("next").disabled = start + results.length >= n_photos;
}

async function load(nextTopic, start) {
  turn += 1;
  const mine = turn;
  hideError();
  try {
    const answer = await get(nextTopic.address(start));
    if (mine === turn) show(nextTopic, answer);
    return mine === turn;
  } catch (error) {
    if (mine === turn) showError(error.message);
    return false;
  }
}

async function turnTo(start) {
  if (await load(topic, Math.max(0, start))) {
    const top = byId("summary").getBoundingClientRect().top;
    if (top < 0) byId("summary").scrollIntoView();
  }
}

byId("previous").addEventListener("click", () => turnTo(page.start - fullPage));
byId("next").addEventListener("click", () => turnTo(page.start + page.results.length));

// ---- What they answer to ----

// Before anything is drawn: photos from all over the gallery.
export function showGallery() {
  drawn = null;
  setText("timing", "Ready");
  return load(
    {
      kind: "gallery",
      address: (start) => `gallery?start=${start}`,
      texts: ["From all over the gallery", "Draw a few lines, and the photos most like them come first."],
    },
    0,
  );
}

// From now on, answers to the drawing are wanted, and no other that is still under way.
export function expectDrawing() {
  turn += 1;
  setBusy(true);
  topic = { ...topic, kind: "drawing" };
}

export function showDrawing(answer, wait) {
  const { n_bits, code, read_ms, encode_ms, search_ms } = answer;
  const next = {
    kind: "drawing",
    address: (start) => `nearest?code=${code}&start=${start}`,
    texts: sayAnswer(answer),
    unsure: answer.sure === false,
  };
  drawn = [next, answer];
  if (topic.kind === "drawing") show(next, answer);
  const times = [
    `drawing read in ${read_ms.toFixed(1)} ms`,
    `encoded in ${encode_ms.toFixed(1)} ms`,
    `searched in ${search_ms.toFixed(1)} ms`,
    `${wait.toFixed(0)} ms in all`,
  ];
  setText("timing", `${n_bits} bits: ${times.join(", ")}`);
}

function moreLike({ index, url, name, label }) {
  dialog.close();
  const texts = [`More like ${name}`, label === null ? "" : `Labelled ${readable(label)}`];
  const address = (start) => `nearest?photo=${index}&start=${start}`;
  return load({ kind: "photo", address, texts, thumbnail: url }, 0);
}

byId("back").addEventListener("click", () => {
  if (!drawn) {
    showGallery();
    return;
  }
  turn += 1;
  show(...drawn);
});

// ---- One photo, opened ----

function open(place, among = { topic, page }) {
  opened = { ...among, place };
  const { results } = opened.page;
  const { name, label, distance, large_url } = results[place];
  const image = byId("opened-photo");
  image.src = large_url;
  image.alt = label === null ? `Photo ${name}` : `Photo of ${readable(label)}`;
  setText("opened-name", name);
  setText("opened-label", label === null ? "" : readable(label));
  setText("opened-distance", distance === null ? "" : sayDistance(distance));
  byId("before").disabled = place === 0;
  byId("after").disabled = place === results.length - 1;
  if (!dialog.open) dialog.showModal();
}

function sayDistance(distance) {
  const { n_bits } = opened.page;
  const to = opened.topic.kind === "photo" ? "the other photo" : "the drawing";
  const how = distance === 0 ? "are the same" : `differ in ${distance} of ${n_bits} bits`;
  return `${closeness(distance, n_bits).words}: its code and that of ${to} ${how}.`;
}

function openBeside(step) {
  const place = opened.place + step;
  if (place >= 0 && place < opened.page.results.length) open(place, opened);
}

byId("more-like").addEventListener("click", () => moreLike(opened.page.results[opened.place]));
byId("before").addEventListener("click", () => openBeside(-1));
byId("after").addEventListener("click", () => openBeside(1));
byId("close").addEventListener("click", () => dialog.close());

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // on what is around it
});

dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") openBeside(-1);
  else if (event.key === "ArrowRight") openBeside(1);
});

dialog.addEventListener("close", () => {
  byId("opened-photo").removeAttribute("src");
  items.get(opened.page.results[opened.place].url)?.querySelector("button").focus();
});
