"""The demo: an outbound calling campaign, as an application developer would write it with reamon.

`reamon demo` runs it. The agents, the graph and the campaign use nothing of reamon but its public names, so that they
can be copied; `model_server` and `script` stand in for the model's provider, `voice` for the telephone.
"""
