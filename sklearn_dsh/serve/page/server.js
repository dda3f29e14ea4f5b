// Questions to the server.

const GONE = "The server does not answer. Start it again, then draw on.";

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error(GONE);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

export const get = (address) => ask(address);

// The photos nearest to a drawing, a file.
export function post(file) {
  const type = file.type || "application/octet-stream";
  return ask("search", { method: "POST", body: file, headers: { "Content-Type": type } });
}
