// Elements, and what they say.

export const byId = (id) => document.getElementById(id);

export function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text; // else it would be read out again
}

export function showError(message) {
  byId("error").hidden = false;
  setText("error", message);
}

// When somebody goes on, not when a search that was under way succeeds: an error must be read.
export function hideError() {
  byId("error").hidden = true;
  setText("error", "");
}

// Folders are often named with underscores.
export const readable = (label) => label.replaceAll("_", " ");

// A distance in words: up to this part of the bits differ. Codes that have nothing to do with each
// other differ in half of them.
const CLOSENESS = [
  [0.06, "Almost the same"],
  [0.16, "Very similar"],
  [0.28, "Similar"],
  [0.4, "A little similar"],
  [1, "Hardly similar"],
];

// Words for a distance, and how many of four dots are full.
export function closeness(distance, nBits) {
  const level = CLOSENESS.findIndex(([most]) => distance <= most * nBits);
  return { words: CLOSENESS[level][1], dots: CLOSENESS.length - 1 - level };
}

function commonest(labels) {
  const counts = new Map();
  labels.forEach((label) => counts.set(label, (counts.get(label) ?? 0) + 1));
  return [...counts].sort((a, b) => b[1] - a[1]);
}

// What is said of the answer to a drawing: one line, and a quieter one.
export function sayAnswer({ results, category, sure, reason }) {
  const labels = results.map((result) => result.label);
  const [[label, count], ...others] = commonest(labels);
  const most = label === null ? "" : `, ${count} of them labelled ${readable(label)}`;
  const photos = `${results.length} ${results.length === 1 ? "photo" : "photos"}${most}`;
  if (sure === null) return [photos, ""];
  if (sure) return [`Looks like: ${readable(category)}`, photos];
  if (reason === "far") {
    return [
      "Not sure: no photo is as close as usual",
      "Perhaps the gallery has nothing like it, or a few more lines help.",
    ];
  }
  const kinds = [label, ...others.map((other) => other[0])].slice(0, 3).map(readable);
  return [
    "Not sure: the nearest photos are of several kinds",
    `${kinds.join(", ")}. A few more lines may tell them apart.`,
  ];
}
