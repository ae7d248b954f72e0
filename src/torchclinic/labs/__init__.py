"""Five labs that take deep learning apart. Each is a readable script; `torchclinic lab NAME` runs it."""
