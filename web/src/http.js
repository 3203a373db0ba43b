// Where the server said its API is; relative to the page, so that a path prefix in front of Parley keeps working.
const ENDPOINT = new URL(document.documentElement.dataset.graphql, document.baseURI);

export const SOCKET_URL = Object.assign(new URL(ENDPOINT), {
  protocol: ENDPOINT.protocol === 'https:' ? 'wss:' : 'ws:',
}).href;

/** One GraphQL request; answers the whole result, errors included. Throws only where there was no GraphQL answer. */
export async function post(request, headers, signal) {
  const response = await fetch(ENDPOINT, {
    method: 'POST',
    body: JSON.stringify(request),
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
      ...headers,
    },
    signal,
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`HTTP ${response.status} ${response.statusText}, and no JSON in the answer: ${text.slice(0, 200)}`);
  }
}
