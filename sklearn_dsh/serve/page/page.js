// From the paper to the photos: what is drawn, uploaded, dropped or pasted is searched for.

import { drawing, endStroke, isEmpty, listen, putPicture, redraw } from "./paper.js";
import { expectDrawing, setBusy, showDrawing, showGallery } from "./photos.js";
import { get, post } from "./server.js";
import { byId, hideError, setText, showError } from "./texts.js";

const SEARCH_DELAY = 150; // milliseconds after a move
const SHRUNK_SIDE = 1024; // of pictures too large to be sent

let maxBytes = Infinity; // what the server takes

// ---- Searching: one request at a time, and then the newest drawing ----

let timer = null;
let isSearching = false;
let isOutdated = false;

function searchSoon() {
  expectDrawing();
  timer ??= setTimeout(search, SEARCH_DELAY);
}

async function search() {
  clearTimeout(timer);
  timer = null;
  if (isSearching) {
    isOutdated = true;
    return;
  }
  isSearching = true;
  do {
    isOutdated = false;
    try {
      const start = performance.now();
      const answer = await post(await drawing());
      if (!isEmpty()) showDrawing(answer, performance.now() - start);
    } catch (error) {
      if (!isEmpty()) showError(error.message);
    }
  } while (isOutdated && !isEmpty());
  isSearching = false;
  setBusy(timer !== null);
}

listen({
  begun: hideError,
  moved: searchSoon,
  changed() {
    hideError();
    if (isEmpty()) {
      showGallery();
    } else {
      expectDrawing();
      search();
    }
  },
});

// ---- Pictures of drawings ----

async function shrink(bitmap) {
  const scale = SHRUNK_SIDE / Math.max(bitmap.width, bitmap.height);
  const small = new OffscreenCanvas(bitmap.width * scale, bitmap.height * scale);
  small.getContext("2d").drawImage(bitmap, 0, 0, small.width, small.height);
  return small.convertToBlob({ type: "image/png" });
}

// The server says what is wrong with a file, and only what it took comes onto the paper.
async function take(file) {
  endStroke();
  try {
    const bitmap = await createImageBitmap(file).catch(() => null);
    const isLarge = file.size > maxBytes;
    if (isLarge && !bitmap) {
      throw new Error(`The file is larger than ${maxBytes / 1e6} MB: choose a smaller picture.`);
    }
    const sent = isLarge ? await shrink(bitmap) : file;
    await post(sent);
    if (!bitmap) throw new Error("This browser cannot show the picture: choose a PNG or JPEG.");
    byId("opened").close();
    putPicture(sent, bitmap);
  } catch (error) {
    showError(error.message);
  }
}

byId("upload").addEventListener("click", () => byId("file").click());

byId("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) take(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files[0]) take(event.clipboardData.files[0]);
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});

document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const file = event.dataTransfer.files[0];
  if (file) take(file);
  else showError("That is not a file: drop a picture of a drawing here.");
});

// ---- Start ----

function addSample(address, i) {
  const button = document.createElement("button");
  button.type = "button";
  const image = document.createElement("img");
  image.src = address;
  image.alt = `Sketch ${i + 1}`;
  button.append(image);
  button.addEventListener("click", async () => {
    const response = await fetch(address);
    take(await response.blob());
  });
  byId("samples").append(button);
}

redraw();
try {
  const { n_photos, n_bits, max_bytes, title } = await get("health");
  maxBytes = max_bytes;
  document.title = title;
  setText("title", title);
  setText("gallery-size", `${n_photos.toLocaleString("en")} photos, codes of ${n_bits} bits`);
  const samples = await get("samples");
  samples.forEach(addSample);
  byId("samples").hidden = samples.length === 0;
  if (isEmpty()) await showGallery();
} catch {
  showError("The server does not answer. Start it again and reload the page.");
}
