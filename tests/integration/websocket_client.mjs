// SPDX-License-Identifier: MIT
// The WebSocket client that is part of Node.js, as test_websocket.py drives it: connects
// to argv[2], sends some messages, prints what comes back as one line of JSON.
const socket = new WebSocket(process.argv[2]);
const got = [];

socket.binaryType = "arraybuffer";
socket.addEventListener("open", () => {
	socket.send("hello");
	socket.send("\u20ac\u{1f600}");
	socket.send(new Uint8Array([0, 255, 128]));
	socket.send("x".repeat(200000));
});
socket.addEventListener("message", (event) => {
	const data = event.data;

	got.push(typeof data === "string" ? (data.length > 99 ? data.length : data) :
		Array.from(new Uint8Array(data)));
	if (got.length === 4)
		socket.close(3001, "enough");
});
socket.addEventListener("close", (event) => {
	console.log(JSON.stringify({ got, code: event.code, clean: event.wasClean }));
});
