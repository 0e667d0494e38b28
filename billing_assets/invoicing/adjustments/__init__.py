"""What is charged or credited to an account without usage."""
