import torch
from torch import nn

# hours studied, hours slept, mock exams
students = [[2, 9, 0], [6, 7, 2], [1, 5, 0], [8, 8, 3]]
passed = [0, 1, 0, 1]


class ExamNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3, 8)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.out(x)


features = torch.tensor(students)
labels = torch.tensor(passed)
exam_net = ExamNet()
loss = nn.functional.cross_entropy(exam_net(features), labels)
loss.backward()
