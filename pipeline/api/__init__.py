"""HTTP: one router for each room, thin over the services. What is allowed and what follows is decided below, never here.

A request is read on the event loop, with a cap on its size, and carried out in a thread of the gate; an answer is a Response
made of bytes. Packets of reading (04/01, 10/01 and the like) get no header in the packet log: every read would write.
"""
