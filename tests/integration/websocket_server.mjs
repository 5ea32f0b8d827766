// SPDX-License-Identifier: MIT
// A server made with ws, the WebSocket package of npm (Debian: node-ws), as
// test_websocket.py drives it: echoes; argv[2] is "deflate" or "plain". Prints its port.
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(import.meta.url)("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0,
	perMessageDeflate: process.argv[2] === "deflate",
	handleProtocols: (offered) => [...offered][0] });

server.on("connection", (socket) => {
	socket.on("message", (data, binary) => socket.send(data, { binary }));
});
server.on("listening", () => console.log(server.address().port));
