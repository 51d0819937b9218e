"""From a learning platform to the folder that ``autograder grade`` takes, and grades back again."""
