"""protoc behind the Compiler protocol: inside this process (for a supervised one), or in a short-lived child."""
