"""The values that engines take and give: frozen dataclasses and enums."""
