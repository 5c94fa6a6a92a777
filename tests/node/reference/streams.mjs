// Subscriptions: the first event of each is held against what graphql-js makes of the same event.

import { firstEvent } from './ask.mjs';
import { difference, served, theirsOf } from './compare.mjs';
import { MARK } from './paths.mjs';
import { literally, resolveField, whole } from './records.mjs';
import { schema } from './schema.mjs';
import { putIn } from './values.mjs';

/** What a subscription sends first; that it is live without a change to send does not count. */
const firstChange = (text, variables) => firstEvent(text, variables, ({ errors, data }) => {
  const [event] = Object.values(data ?? {});
  return errors || (event && (event[MARK] ?? event.kind) !== 'SYNCED');
});

/** The event of the same subscription in plain literals, and its fields as of any other object. */
function fieldResolver(source, args, context, info) {
  if (info.parentType !== schema.getSubscriptionType()) return resolveField(source, args, context, info);
  const field = info.parentType.getFields()[info.fieldName];
  return whole((document) => firstChange(document), 'subscription', literally(field, args), field.type);
}

/** How the first event deviates. */
export async function streamDeviations({ template, variables }) {
  const text = putIn(template);
  const theirs = await theirsOf(text, { variableValues: variables, fieldResolver });
  const answer = await firstChange(text, variables);
  const ours = served(answer);
  if (ours.stage.startsWith('bound')) return [];
  const sentence = difference(theirs, ours);
  return sentence ? [{ way: 'subscription', sentence, text, variables, ours: answer, theirs: theirs.result }] : [];
}
