// A page: the test defines address.
const socket = new WebSocket(address)
socket.onopen = () => socket.send("uid1")
socket.onmessage = event => alert(event.data)
