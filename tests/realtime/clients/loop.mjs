// The documented loop with the official TypeScript client: say something, then poll until the answer came.
import {ParlantClient} from 'parlant-client';

const [server, sessionId] = process.argv.slice(2);
const client = new ParlantClient({environment: server});

const said = await client.sessions.createEvent(sessionId, {kind: 'message', source: 'customer', message: 'Hello from Node'});
console.log(JSON.stringify({said: said.offset}));

let minOffset = said.offset + 1;
for (;;) {
  const events = await client.sessions.listEvents(sessionId, {minOffset, waitForData: 30});
  for (const event of events) {
    minOffset = event.offset + 1;
    console.log(JSON.stringify({kind: event.kind, source: event.source, message: event.data?.message, offset: event.offset}));
    if (event.data?.message === 'Goodbye') process.exit(0);
  }
}
