"""The criteria of Ultralytics' trainings listened to: who answers for which object, and what every cell pays."""
