"""A small shop for photographs, its work done through queues.

tasks.py     the app and its tasks: start here
pictures.py  thumbnails and contact sheets
weather.py   plots of a year's weather
mail.py      e-mail
place.py     where the shop keeps its files, and who is running
"""
