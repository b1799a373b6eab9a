// A page of some shop that embeds the widget as its documentation shows.
import React from 'react';
import {createRoot} from 'react-dom/client';
import ParlantChatbox from 'parlant-chat-react';
import 'parlant-chat-react/style.css';

const given = new URLSearchParams(location.search);

createRoot(document.getElementById('root')).render(
  <ParlantChatbox
    server={given.get('server')}
    agentId={given.get('agent') || undefined}
    sessionId={given.get('session') || undefined}
  />,
);
