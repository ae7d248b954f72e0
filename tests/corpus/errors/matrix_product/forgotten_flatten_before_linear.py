import torch
from torch import nn


class DigitClassifier(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Linear(16 * 14 * 14, num_classes)

    def forward(self, images):
        maps = self.features(images)
        return self.classifier(maps)


model = DigitClassifier()
criterion = nn.CrossEntropyLoss()
images, labels = torch.rand(8, 1, 28, 28), torch.randint(0, 10, (8,))
loss = criterion(model(images), labels)
loss.backward()
