import { Kind, parse } from 'graphql';
import { post } from './http.js';
import { frontTab, subscription } from './live.js';
import { authorization, refresh } from './session.js';

function operationIn({ query, operationName }) {
  let document;
  try {
    document = parse(query);
  } catch {
    return null; // the server words a syntax error better, and with its place
  }
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operations.length === 1) return operations[0];
  return operations.find(({ name }) => name?.value === operationName) ?? null;
}

/** GraphiQL's name for the operation can lag behind the editor: of a single operation it is not needed. */
function requestFor(params, operation) {
  const operationName = operation?.name?.value ?? params.operationName;
  return { query: params.query, variables: params.variables, operationName };
}

function answerOf(request, headers, operation) {
  return {
    subscribe(view) {
      const controller = new AbortController();
      send(request, headers, controller.signal)
        .then((result) => {
          view.next(result);
          view.complete();
          if (operation?.operation === 'mutation') refresh(); // it may have started a conversation
        })
        .catch((error) => controller.signal.aborted || view.error(error));
      return { unsubscribe: () => controller.abort() };
    },
  };
}

async function send(request, headers = {}, signal) {
  const hasOwn = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization'); // typed into GraphiQL's Headers
  return post(request, hasOwn ? headers : { ...(await authorization()), ...headers }, signal);
}

/** The field that a subscription follows, where it takes the variable `$after`: only then can it resume. */
function resumable({ variableDefinitions, selectionSet }) {
  const takesAfter = variableDefinitions?.some(({ variable }) => variable.name.value === 'after');
  return takesAfter ? selectionSet.selections.find(({ kind }) => kind === Kind.FIELD)?.name.value : undefined;
}

/** What GraphiQL calls for everything it runs; observables, so that its Stop button and leaving a tab both work. */
export function fetcher(params, { headers } = {}) {
  if (params.operationName === 'IntrospectionQuery') return send(params, headers);
  const operation = operationIn(params);
  const request = requestFor(params, operation);
  if (operation?.operation !== 'subscription') return answerOf(request, headers, operation);
  return subscription(frontTab(), request.operationName ?? 'subscription', request, resumable(operation));
}
