"""The application in app.py, monitored: three lines of reamon, and nothing of the application is changed.

It prints:
I can give you a price. How soon would you like to sell?
Tuesday at ten, then.
There is no obligation, I promise.
I am sorry, could you say that again?
"""

import asyncio

import app

import reamon

reamon.configure()
reamon.instrument("langgraph", app.SalesTeam)

asyncio.run(app.main())
